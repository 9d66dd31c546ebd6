"""The files of a run's folder, written from what the ledger knows of the run. Can be repeated at any time."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline.editions import EDITIONS
from pipeline.findings import Finding, Severity
from pipeline.ledger import Ledger, file_findings, placed_findings, report_rows, rows_with
from pipeline.model import IMPORT_PREFIX, ReportRow, SourceInfo, State
from pipeline.next_steps import IN_DOUBT
from pipeline.report import (
    ANNOTATED_SUFFIXES,
    HISTORY_FILE,
    AnnotatedCopy,
    Line,
    Summary,
    annotate,
    document_of,
    input_table,
    input_workbook,
    lines_of,
    past_run,
    read_history,
    remember,
    repairs_table,
    told_rows,
    widths_of,
    write_document,
    write_input_rows,
    write_page,
    write_sent_rows,
    write_trend,
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

TOLD = (*(state for state in TO_MEND if state is not State.PLANNED), State.KEPT, *IN_DOUBT)
"""Rows of which there is more to tell than their warnings and changes. Nothing is wrong with a planned one."""

TREND_PAGE = "index.html"

MOST_STEM_CHARACTERS = 60
"""Of a copy's name: with what follows, a file system takes any of them."""

OnFile = Callable[[str], None]
"""Is told the name of each file before it is written: some take a while."""


def write_folder(ledger: Ledger, folder: Path, summary: Summary, on_file: OnFile) -> None:
    """Write the run's reports into its folder. Raises OSError when one cannot be written."""
    run, sources = summary.run, {each.pk: each for each in summary.sources}
    edition = EDITIONS[run.edition]
    if run.verb == "undo":
        on_file("undo.csv")
        undone = report_rows(ledger, run.id, tuple(State))
        write_sent_rows(folder / "undo.csv", undone, sources, edition, run_id=run.id)
    else:
        _write_rows_to_mend(ledger, folder, summary, on_file)
    if not summary.is_dry_run and run.verb != "undo":
        in_doubt = partial(report_rows, ledger, run.id, IN_DOUBT)
        write_input_rows(folder / "unknown.csv", in_doubt, sources, run_id=run.id)
        on_file("created.csv")
        created = report_rows(ledger, run.id, [State.CREATED, State.UPDATED])
        write_sent_rows(folder / "created.csv", created, sources, edition, run_id=run.id)
    on_file("report.json")
    with ExitStack() as stack:
        placed = placed_findings(ledger, run.id)
        if run.verb != "undo":
            placed = _passing(placed, stack.enter_context(repairs_table(folder / "repairs.csv", sources)))
        document = document_of(summary, placed, sources)
    write_document(folder / "report.json", document)
    on_file("report.html")
    write_page(folder / "report.html", summary, lines_in(ledger, run.id), now=datetime.now(UTC))


Placed = tuple[int, int | None, Finding]
"""(source, row number, finding)."""


def _passing(placed: Iterable[Placed], write: Callable[[int, int | None, Finding], None]) -> Iterator[Placed]:
    for each in placed:
        write(*each)
        yield each


def _write_rows_to_mend(ledger: Ledger, folder: Path, summary: Summary, on_file: OnFile) -> None:
    """Write errors.csv, and errors.xlsx where there are rows to mend; one of an earlier call goes away."""
    run, sources = summary.run, {each.pk: each for each in summary.sources}
    states = tuple(state for state in TO_MEND if not (summary.is_dry_run and state is State.PLANNED))
    errors = _file_errors(ledger, run.id)
    table, workbook = folder / "errors.csv", folder / "errors.xlsx"
    on_file(table.name)
    widths = widths_of(report_rows(ledger, run.id, states), sources)
    with ExitStack() as stack:
        writers = [stack.enter_context(input_table(table, widths, sources))]
        if widths:
            on_file(workbook.name)
            writers.append(stack.enter_context(input_workbook(workbook, widths, sources, summary.causes)))
        for told in told_rows(report_rows(ledger, run.id, states), sources, errors, run_id=run.id):
            for write in writers:
                write(told)
    if not widths:
        workbook.unlink(missing_ok=True)


def annotated_copies(ledger: Ledger, folder: Path, summary: Summary, on_file: OnFile) -> Iterator[AnnotatedCopy]:
    """Write a copy of each workbook that was read with what was found in it; yield it, or why there is none.

    Raises OSError when a copy cannot be written.
    """
    names = Counter[str]()
    for file in dict.fromkeys(each.file for each in summary.sources if each.rows_read and not _is_report(each)):
        path = Path(file)
        if path.suffix.lower() not in ANNOTATED_SUFFIXES:
            continue
        stem = path.stem[:MOST_STEM_CHARACTERS]
        names[stem] += 1
        copy = f"{stem}{f'-{names[stem]}' if names[stem] > 1 else ''}.annotated.xlsx"
        own = {each.pk: each for each in summary.sources if each.file == file and each.rows_read}
        (folder / copy).unlink(missing_ok=True)
        on_file(copy)
        told = _rows_told(ledger, summary.run.id, own)
        reason = annotate(path, folder / copy, tuple(own.values()), told, summary.causes)
        yield AnnotatedCopy(file, "" if reason else copy, reason)


def _is_report(source: SourceInfo) -> bool:
    return any(name.strip().casefold().startswith(IMPORT_PREFIX) for name in source.header)


def _rows_told(ledger: Ledger, run_id: str, source_pks: Collection[int]) -> Iterator[ReportRow]:
    for rows in (report_rows(ledger, run_id, TOLD), *(rows_with(ledger, run_id, each) for each in Severity)):
        yield from (row for row in rows if row.source_pk in source_pks)


def update_history(folder: Path, summary: Summary) -> None:
    """Remember the run beside the folders of all runs, and write the page of their trend. Raises OSError."""
    runs = folder.parent
    remember(runs / HISTORY_FILE, past_run(summary))
    write_trend(runs / TREND_PAGE, read_history(runs / HISTORY_FILE), now=datetime.now(UTC))


def lines_in(ledger: Ledger, run_id: str) -> Iterator[Line]:
    """Yield all that is told of the run's files and rows, what is worst first."""
    unsettled = report_rows(ledger, run_id, TOLD)
    return lines_of(file_findings(ledger, run_id), unsettled, lambda severity: rows_with(ledger, run_id, severity))


def _file_errors(ledger: Ledger, run_id: str) -> Mapping[int, list[Finding]]:
    errors: dict[int, list[Finding]] = {}
    for source_pk, found in file_findings(ledger, run_id):
        if found.severity is Severity.ERROR:
            errors.setdefault(source_pk, []).append(found)
    return errors
