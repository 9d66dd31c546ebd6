"""Phase three: what the ledger knows of a run -> summary, reports, exit code."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from pipeline.config import Quota
from pipeline.errors import ExitCode, UsageError
from pipeline.findings import Severity
from pipeline.folder import annotated_copies, update_history, write_folder
from pipeline.ledger import (
    Ledger,
    action_counts,
    expiry_counts,
    holdings,
    orphaned_rows,
    placed_findings,
    report_rows,
    route_counts,
    run_info,
    source_infos,
    state_counts,
    step_counts,
    waiting_rows,
)
from pipeline.model import REFUSED, Operation, SendStats, SourceInfo, State, StepCount, StopReason
from pipeline.next_steps import IN_DOUBT, steps_after_dry_run, steps_after_import, steps_after_undo
from pipeline.report import (
    LONGEST_PAUSE_S,
    Cause,
    Forecast,
    Pace,
    Summary,
    Terms,
    causes_of_answers,
    causes_of_findings,
    route_lines,
    totals_of,
)
from pipeline.session import Job, eta_of

ANSWERED_BADLY = (State.REJECTED, State.MISSING, State.KEPT, State.UNSENT, *IN_DOUBT)


def conclude_run(
    ledger: Ledger,
    run_id: str,
    folder: Path,
    job: Job,
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
    is_undo = run.verb == "undo"
    terms = Terms.PLAN if forecast else Terms.DRY_RUN if is_dry_run else Terms.UNDO if is_undo else Terms.IMPORT
    by_route = _planned_by_operation(ledger, run_id) if forecast else list[Counted](route_counts(ledger, run_id))
    steps = () if is_dry_run else tuple(step_counts(ledger, run_id))
    call = job.call
    summary = Summary(
        run=run,
        is_dry_run=is_dry_run,
        sources=tuple(sources.values()),
        totals=totals_of(_summed(by_route), tuple(sources.values()), terms),
        routes=route_lines(by_route, terms),
        causes=(*answers, *findings),
        stats=stats,
        next_steps=tuple(
            steps_after_dry_run(
                counts,
                waiting,
                folder,
                call,
                forecast,
                has_cures=any(each.config_line and each.severity is Severity.ERROR for each in findings),
                has_too_many_errors=has_too_many_errors,
            )
            if is_dry_run
            else steps_after_undo(run, counts, waiting, call)
            if is_undo
            else steps_after_import(run, counts, folder, call, waiting=waiting, orphaned=orphaned, standing=missing)
        ),
        forecast=forecast,
        waiting_rows=waiting,
        eta=eta_of(job, forecast.writes if forecast else waiting),
        pace=pace_of(steps, job.settings.send.quota, run.ended_at),
        steps=steps,
        expiry=tuple(expiry_counts(ledger, run_id)),
        orphaned_rows=orphaned,
    )
    try:
        if not is_undo:
            copies = annotated_copies(ledger, folder, summary, job.watch.writing)
            summary = replace(summary, annotated=tuple(copies))
        write_folder(ledger, folder, summary, job.watch.writing)
        update_history(folder, summary)
    except OSError as problem:
        again = "call it again" if is_dry_run else f"write the report again: {call.command('report', run.id)}"
        raise UsageError(
            f"{problem.filename or folder}: the report cannot be written ({problem.strerror}); close the program that "
            f"has the file open, or make room, then {again}"
        ) from problem
    return summary


def pace_of(steps: Sequence[StepCount], quota: Quota, ended_at: str | None) -> Pace | None:
    """Return how sending went, None where nothing was sent. The steps come in the order of time."""
    requests = sum(each.steps for each in steps if each.outcome == State.SENDING)
    if not requests:
        return None
    ends = [ended_at[: len(steps[-1].at)]] if ended_at else []
    times = [datetime.fromisoformat(each) for each in (*(step.at for step in steps), *ends)]
    gaps_s = ((later - earlier).total_seconds() for earlier, later in pairwise(times))
    return Pace(
        quota=quota.count,
        window_s=quota.window_s,
        requests=requests,
        refused=sum(each.steps for each in steps if each.outcome == REFUSED),
        sending_s=sum(gap_s for gap_s in gaps_s if 0 < gap_s <= LONGEST_PAUSE_S),
    )


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
        return causes_of_answers(report_rows(ledger, run_id, ANSWERED_BADLY), sources)
    # Only a plan that read the tenant has such rows.
    unread = causes_of_answers(report_rows(ledger, run_id, [State.UNSENT]), sources)
    return [each._replace(code="not checked", hint="mend what the message names, and plan again") for each in unread]


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
