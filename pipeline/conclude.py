"""Phase three: what the ledger knows of a run -> summary, reports, exit code."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.editions import EDITIONS
from pipeline.errors import ExitCode, UsageError
from pipeline.findings import Finding, Severity
from pipeline.ledger import (
    Holding,
    Ledger,
    action_counts,
    holdings,
    orphaned_rows,
    placed_findings,
    report_rows,
    route_counts,
    run_info,
    source_infos,
    state_counts,
    waiting_rows,
)
from pipeline.model import Operation, RunInfo, SendStats, SourceInfo, State, StopReason
from pipeline.report import (
    Cause,
    Forecast,
    NextStep,
    Summary,
    TenantLook,
    Terms,
    causes_of_answers,
    causes_of_findings,
    document_of,
    route_lines,
    totals_of,
    write_document,
    write_input_rows,
    write_repairs,
    write_sent_rows,
)

TO_MEND = (
    State.INVALID,
    State.CONFLICTING,
    State.REJECTED,
    State.REJECTED_BEFORE,
    State.MISSING,
    State.UNSENT,
    State.PLANNED,
)
"""What errors.csv holds: rows that are not settled well and whose condition is known."""

UNDERSTOOD = {
    "validate": {"--edition", "--out", "--preset", "--strict", "--no-repair"},
    "resume": {"--graph-url", "--state"},
    "retry": {"--graph-url", "--state"},
    "report": {"--graph-url", "--state"},
}
"""What a verb takes over of the options of the call before it; `import` takes them all."""

IN_DOUBT = (State.UNKNOWN, State.SENDING)
"""Rows that may have arrived: a row under way is one, as long as nobody has settled it."""

UNFINISHED = (State.PLANNED, State.SENDING, State.UNSENT, State.UNKNOWN)
"""States of an object whose owner still has something to send to it, or to settle."""

REFUSED = (State.REJECTED, State.MISSING, State.KEPT, State.UNSENT, *IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Call:
    """How the command was called, so that the next command can be printed exactly."""

    program: tuple[str, ...]  # `certstate`, with the options before the verb
    files: tuple[str, ...]  # with the options that reading them needs
    options: tuple[tuple[str, ...], ...]  # options with their values, as far as the next command needs them too

    def command(self, verb: str, *arguments: str) -> str:
        """Return the command to type, quoted as this system's shell wants it: PowerShell on Windows."""
        options = [word for option in self.options if option[0] in UNDERSTOOD.get(verb, option) for word in option]
        words = [*self.program, verb, *arguments, *options]
        return " ".join(_for_powershell(word) for word in words) if os.name == "nt" else shlex.join(words)


def _for_powershell(word: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.:/\\=-]+", word):
        return word
    return "'" + word.replace("'", "''") + "'"


def conclude_run(
    ledger: Ledger,
    run_id: str,
    folder: Path,
    call: Call,
    *,
    is_dry_run: bool = False,
    has_too_many_errors: bool = False,
    stats: SendStats | None = None,
    forecast: Forecast | None = None,
) -> Summary:
    """Write the reports of the run into its folder and return the summary. Can be repeated at any time.

    `has_too_many_errors` says of a dry run that an import would stop at its error threshold; a plan has a `forecast`.

    Raises UsageError when a report cannot be written; what became of the rows stands in the ledger all the same.
    """
    run = run_info(ledger, run_id)
    sources = {each.pk: each for each in source_infos(ledger, run_id)}
    counts = state_counts(ledger, run_id)
    waiting = waiting_rows(ledger, run_id)
    may_be_orphaned = counts.get(State.UNSENT) and not is_dry_run
    orphaned = orphaned_rows(ledger, run_id) if may_be_orphaned else 0
    missing = holdings(ledger, run_id) if counts.get(State.MISSING) else []
    findings = causes_of_findings(placed_findings(ledger, run_id), sources)
    answers = _causes_of_answers(ledger, run_id, sources, is_dry_run=is_dry_run)
    mend = tuple(state for state in TO_MEND if not (is_dry_run and state is State.PLANNED))
    is_undo = run.verb == "undo"
    terms = Terms.PLAN if forecast else Terms.DRY_RUN if is_dry_run else Terms.UNDO if is_undo else Terms.IMPORT
    by_route = _planned_by_operation(ledger, run_id) if forecast else list[Counted](route_counts(ledger, run_id))
    summary = Summary(
        run=run,
        is_dry_run=is_dry_run,
        sources=tuple(sources.values()),
        totals=totals_of(_summed(by_route), tuple(sources.values()), terms),
        routes=route_lines(by_route, terms),
        causes=(*answers, *findings),
        stats=stats,
        next_steps=tuple(
            _steps_after_dry_run(counts, waiting, folder, call, forecast, has_too_many_errors=has_too_many_errors)
            if is_dry_run
            else _steps_after_undo(run, counts, waiting, call)
            if is_undo
            else _next_steps(run, counts, folder, call, waiting=waiting, orphaned=orphaned, standing=missing)
        ),
        forecast=forecast,
        waiting_rows=waiting,
        orphaned_rows=orphaned,
    )
    try:
        if is_undo:
            undone = report_rows(ledger, run_id, tuple(State))
            write_sent_rows(folder / "undo.csv", undone, sources, EDITIONS[run.edition])
        else:
            errors = _file_errors(ledger, run_id)
            write_input_rows(folder / "errors.csv", lambda: report_rows(ledger, run_id, mend), sources, errors)
            write_repairs(folder / "repairs.csv", placed_findings(ledger, run_id), sources)
        if not is_dry_run and not is_undo:
            write_input_rows(folder / "unknown.csv", lambda: report_rows(ledger, run_id, IN_DOUBT), sources)
            created = report_rows(ledger, run_id, [State.CREATED, State.UPDATED])
            write_sent_rows(folder / "created.csv", created, sources, EDITIONS[run.edition])
        document = document_of(summary, placed_findings(ledger, run_id), sources)
        write_document(folder / "report.json", document)
    except OSError as problem:
        again = "call it again" if is_dry_run else f"write the report again: {call.command('report', run.id)}"
        raise UsageError(
            f"{problem.filename or folder}: the report cannot be written ({problem.strerror}); close the program that "
            f"has the file open, or make room, then {again}"
        ) from problem
    return summary


Counted = tuple[str, State | Operation, int]
"""(collection, what the rows are, how many)."""


def _planned_by_operation(ledger: Ledger, run_id: str) -> list[Counted]:
    """Return the number of the run's rows by collection and state, of planned ones by what is going to be done."""
    others = (each for each in route_counts(ledger, run_id) if each.state is not State.PLANNED)
    return [*action_counts(ledger, run_id), *others]


def _summed(counts: Iterable[Counted]) -> dict[State | Operation, int]:
    totals = Counter[State | Operation]()
    for _, what, rows in counts:
        totals[what] += rows
    return totals


def _causes_of_answers(
    ledger: Ledger, run_id: str, sources: Mapping[int, SourceInfo], *, is_dry_run: bool
) -> list[Cause]:
    if not is_dry_run:
        return causes_of_answers(report_rows(ledger, run_id, REFUSED), sources)
    # Only a plan that read the tenant has such rows.
    unread = causes_of_answers(report_rows(ledger, run_id, [State.UNSENT]), sources)
    return [each._replace(code="not checked", hint="mend what the message names, and plan again") for each in unread]


def _file_errors(ledger: Ledger, run_id: str) -> dict[int, list[Finding]]:
    errors: dict[int, list[Finding]] = {}
    for source_pk, row_number, found in placed_findings(ledger, run_id):
        if row_number is None and found.severity is Severity.ERROR:
            errors.setdefault(source_pk, []).append(found)
    return errors


def near_path(path: Path) -> Path:
    """Return the path as seen from the current folder, if it lies below it."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def _steps_after_dry_run(
    counts: dict[State, int],
    waiting: int,
    folder: Path,
    call: Call,
    forecast: Forecast | None,
    *,
    has_too_many_errors: bool,
) -> Iterator[NextStep]:
    errors_csv = str(near_path(folder / "errors.csv"))
    if counts.get(State.INVALID) or counts.get(State.CONFLICTING):
        yield NextStep(f"correct the file, or {errors_csv} and check that:", call.command("validate", errors_csv))
    what = "carry the plan out" if forecast else "import the valid rows"
    words = list(call.files)
    if forecast and forecast.saved:
        words += ["--plan", forecast.saved]
    elif forecast and forecast.tenant is TenantLook.CHECKED:
        words.append("--check-remote")
    if waiting and has_too_many_errors:
        command = call.command("import", *words, "--max-errors", "100%")
        yield NextStep(f"{what}; so many rows have errors that it has to be said:", command)
    elif waiting:
        yield NextStep(f"{what}:", call.command("import", *words))


def steps_for_missing(run_id: str, standing: Iterable[Holding], sentence: str, call: Call) -> Iterator[NextStep]:
    """Yield what brings the run's missing objects back: the run whose request to them was the last one is to do it."""
    gone = [each for each in standing if State.MISSING in {each.row_state, each.object_state}]
    begun = (each.owner_id for each in gone if each.object_state in UNFINISHED and each.owner_id != run_id)
    for owner_id in dict.fromkeys(begun):
        yield NextStep(f"finish what run {owner_id} began with missing objects:", call.command("resume", owner_id))
    for owner_id in dict.fromkeys(each.owner_id for each in gone if each.object_state is State.MISSING):
        yield NextStep(sentence, call.command("retry", owner_id, "--missing"))


def _next_steps(
    run: RunInfo,
    counts: dict[State, int],
    folder: Path,
    call: Call,
    *,
    waiting: int,
    orphaned: int,
    standing: Sequence[Holding],
) -> Iterator[NextStep]:
    refused = counts.get(State.REJECTED, 0) + counts.get(State.REJECTED_BEFORE, 0)
    bad = counts.get(State.INVALID, 0) + counts.get(State.CONFLICTING, 0) + refused
    errors_csv = str(near_path(folder / "errors.csv"))
    is_in_doubt = any(counts.get(state) for state in IN_DOUBT)
    if is_in_doubt:
        rest = ", and go on with the unsent ones" if waiting and not run.stop else ""
        sentence = f"read the tenant back, to settle the unknown rows{rest}:"
        yield NextStep(sentence, call.command("resume", run.id))
    if bad:
        yield NextStep(f"correct {errors_csv} and import it:", call.command("import", errors_csv))
    elif orphaned:
        yield NextStep("import the unsent rows again, whose object was taken away:", call.command("import", errors_csv))
    if refused:
        yield NextStep("or, if the tenant was mended, send the rejected rows again:", call.command("retry", run.id))
    missing = (each for each in standing if each.row_state is State.MISSING)
    yield from steps_for_missing(run.id, missing, "send the missing rows again:", call)
    if waiting and run.stop == StopReason.INVALID:
        yield NextStep("or send the other rows all the same:", call.command("import", *call.files))
    elif waiting and run.stop == StopReason.PLAN:
        if call.files:
            yield NextStep("see what would be done now:", call.command("plan", *call.files))
    elif waiting and run.stop == StopReason.THRESHOLD:
        resume = call.command("resume", run.id, "--max-errors", "100%")
        yield NextStep("or send the other rows all the same:", resume)
    elif waiting and not (is_in_doubt and not run.stop):
        yield NextStep("go on with the unsent rows:", call.command("resume", run.id))


def _steps_after_undo(run: RunInfo, counts: dict[State, int], waiting: int, call: Call) -> Iterator[NextStep]:
    if waiting or any(counts.get(state) for state in IN_DOUBT):
        yield NextStep("go on with the undo:", call.command("resume", run.id))
    if counts.get(State.REJECTED):
        yield NextStep("try again to delete what is left:", call.command("undo", run.parent_id))


def exit_code_of(summary: Summary, stop: StopReason | None = None, *, stopped_collections: int = 0) -> ExitCode:
    """Return the first exit code that applies; an interrupt is the caller's to tell, it knows the signal."""
    about_files = sum(cause.severity is Severity.ERROR and not cause.rows for cause in summary.causes)
    invalid = summary.rows_of("invalid") + summary.rows_of("conflicting") + about_files
    refused = sum(summary.rows_of(label) for label in ("rejected", "missing", "kept", "failed"))
    unsettled = invalid + refused + summary.waiting_rows + summary.orphaned_rows
    sends = not summary.is_dry_run
    cases = (
        (not summary.is_balanced, ExitCode.INTERNAL),
        (stopped_collections or stop is StopReason.PREFLIGHT, ExitCode.PREFLIGHT),
        (stop is StopReason.THRESHOLD, ExitCode.THRESHOLD),
        (sends and summary.rows_of("unknown"), ExitCode.UNKNOWN_ROWS),
        (sends and (unsettled or stop is not None), ExitCode.UNSETTLED),
        (invalid, ExitCode.INVALID),
    )
    return next((code for applies, code in cases if applies), ExitCode.OK)
