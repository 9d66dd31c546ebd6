"""Phase three: what the ledger knows of a run -> summary, reports, exit code."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.editions import EDITIONS
from pipeline.errors import ExitCode, UsageError
from pipeline.findings import Finding, Severity
from pipeline.ledger import (
    Ledger,
    placed_findings,
    report_rows,
    route_counts,
    run_info,
    source_infos,
    state_counts,
    waiting_rows,
)
from pipeline.model import RunInfo, SendStats, State, StopReason
from pipeline.report import (
    NextStep,
    Summary,
    causes_of_answers,
    causes_of_findings,
    document_of,
    route_lines,
    totals_of,
    write_created_rows,
    write_document,
    write_input_rows,
    write_repairs,
)

TO_MEND = (State.INVALID, State.CONFLICTING, State.REJECTED, State.REJECTED_BEFORE, State.UNSENT, State.PLANNED)
"""What errors.csv holds: rows that are not settled well and whose condition is known."""

UNDERSTOOD = {
    "validate": {"--edition", "--out", "--preset", "--strict", "--no-repair"},
    "resume": {"--graph-url", "--state"},
    "report": {"--graph-url", "--state"},
}
"""What a verb takes over of the options of the call before it; `import` takes them all."""

REFUSED = (State.REJECTED, State.UNSENT, State.UNKNOWN)


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
) -> Summary:
    """Write the reports of the run into its folder and return the summary. Can be repeated at any time.

    `has_too_many_errors` says of a dry run that an import would stop at its error threshold.

    Raises UsageError when a report cannot be written; what became of the rows stands in the ledger all the same.
    """
    run = run_info(ledger, run_id)
    sources = {each.pk: each for each in source_infos(ledger, run_id)}
    counts = state_counts(ledger, run_id)
    waiting = waiting_rows(ledger, run_id)
    findings = causes_of_findings(placed_findings(ledger, run_id), sources)
    answers = [] if is_dry_run else causes_of_answers(report_rows(ledger, run_id, REFUSED), sources)
    mend = tuple(state for state in TO_MEND if not (is_dry_run and state is State.PLANNED))
    summary = Summary(
        run=run,
        is_dry_run=is_dry_run,
        sources=tuple(sources.values()),
        totals=totals_of(counts, tuple(sources.values()), is_dry_run=is_dry_run),
        routes=route_lines(route_counts(ledger, run_id), is_dry_run=is_dry_run),
        causes=(*answers, *findings),
        stats=stats,
        next_steps=tuple(
            _steps_after_dry_run(counts, waiting, folder, call, has_too_many_errors=has_too_many_errors)
            if is_dry_run
            else _next_steps(run, counts, waiting, folder, call)
        ),
        waiting_rows=waiting,
    )
    try:
        errors = _file_errors(ledger, run_id)
        write_input_rows(folder / "errors.csv", lambda: report_rows(ledger, run_id, mend), sources, errors)
        if not is_dry_run:
            write_input_rows(folder / "unknown.csv", lambda: report_rows(ledger, run_id, [State.UNKNOWN]), sources)
            created = report_rows(ledger, run_id, [State.CREATED])
            write_created_rows(folder / "created.csv", created, sources, EDITIONS[run.edition])
        write_repairs(folder / "repairs.csv", placed_findings(ledger, run_id), sources)
        document = document_of(summary, placed_findings(ledger, run_id), sources)
        write_document(folder / "report.json", document)
    except OSError as problem:
        again = "call it again" if is_dry_run else f"write the report again: {call.command('report', run.id)}"
        raise UsageError(
            f"{problem.filename or folder}: the report cannot be written ({problem.strerror}); close the program that "
            f"has the file open, or make room, then {again}"
        ) from problem
    return summary


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
    counts: dict[State, int], waiting: int, folder: Path, call: Call, *, has_too_many_errors: bool
) -> Iterator[NextStep]:
    errors_csv = str(near_path(folder / "errors.csv"))
    if counts.get(State.INVALID) or counts.get(State.CONFLICTING):
        yield NextStep(f"correct the file, or {errors_csv} and check that:", call.command("validate", errors_csv))
    if waiting and has_too_many_errors:
        command = call.command("import", *call.files, "--max-errors", "100%")
        yield NextStep("import the valid rows; so many rows have errors that it has to be said:", command)
    elif waiting:
        yield NextStep("import the valid rows:", call.command("import", *call.files))


def _next_steps(run: RunInfo, counts: dict[State, int], waiting: int, folder: Path, call: Call) -> Iterator[NextStep]:
    bad = any(counts.get(state) for state in (State.INVALID, State.CONFLICTING, State.REJECTED, State.REJECTED_BEFORE))
    errors_csv = str(near_path(folder / "errors.csv"))
    if counts.get(State.UNKNOWN):
        unknown_csv = near_path(folder / "unknown.csv")
        yield NextStep(
            f"look the rows of {unknown_csv} up in Intune; they may have been created or not, and are not sent again",
            "",
        )
    if bad:
        yield NextStep(f"correct {errors_csv} and import it:", call.command("import", errors_csv))
    if waiting and run.stop == StopReason.INVALID:
        yield NextStep("or send the other rows all the same:", call.command("import", *call.files))
    elif waiting and run.stop == StopReason.THRESHOLD:
        resume = call.command("resume", run.id, "--max-errors", "100%")
        yield NextStep("or send the other rows all the same:", resume)
    elif waiting:
        yield NextStep("go on with the unsent rows:", call.command("resume", run.id))


def exit_code_of(summary: Summary, stop: StopReason | None = None, *, stopped_collections: int = 0) -> ExitCode:
    """Return the first exit code that applies; an interrupt is the caller's to tell, it knows the signal."""
    about_files = sum(cause.severity is Severity.ERROR and not cause.rows for cause in summary.causes)
    invalid = summary.rows_of("invalid") + summary.rows_of("conflicting") + about_files
    unsettled = invalid + summary.rows_of("rejected") + summary.waiting_rows
    sends = not summary.is_dry_run
    cases = (
        (not summary.is_balanced, ExitCode.INTERNAL),
        (stopped_collections or stop is StopReason.PREFLIGHT, ExitCode.PREFLIGHT),
        (stop is StopReason.THRESHOLD, ExitCode.THRESHOLD),
        (summary.rows_of("unknown"), ExitCode.UNKNOWN_ROWS),
        (sends and (unsettled or stop is not None), ExitCode.UNSETTLED),
        (invalid, ExitCode.INVALID),
    )
    return next((code for applies, code in cases if applies), ExitCode.OK)
