"""Colours and comments: which cell of a row a finding belongs to, and what is seen there."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill

from pipeline.findings import Finding, Severity, shorten
from pipeline.model import ReportRow, SourceInfo
from pipeline.report.causes import HINTS, code_of_answer
from pipeline.report.workbook.texts import shown_text

AUTHOR = "certstate"

MOST_COMMENTS = 1_000
"""Cells of one sheet that get a comment. Each is a drawing of its own: Excel becomes slow with more, and beyond 1,022
openpyxl gives shapes numbers that belong to another drawing."""

COMMENT_CHARACTERS = 600
COMMENT_WIDTH_PX = 340
LINE_CHARACTERS, LINE_HEIGHT_PX = 50, 17


class Mark(StrEnum):
    """What a coloured cell says, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    REPAIR = "changed"


MARK_OF = {Severity.ERROR: Mark.ERROR, Severity.WARNING: Mark.WARNING, Severity.INFO: Mark.REPAIR}

FILLS = {
    Mark.ERROR: PatternFill("solid", fgColor="FFFFC7CE"),
    Mark.WARNING: PatternFill("solid", fgColor="FFFFEB9C"),
    Mark.REPAIR: PatternFill("solid", fgColor="FFDDEBF7"),
}
"""The first two are those of Excel's own cell styles `Bad` and `Neutral`."""

FONT_COLOURS = {Mark.ERROR: "FF9C0006", Mark.WARNING: "FF7F4F00", Mark.REPAIR: "FF1F4E79"}
"""Each has a contrast of at least 4.5 : 1 on its fill."""

FONTS = {mark: Font(name="Calibri", size=11, color=colour) for mark, colour in FONT_COLOURS.items()}


class CellMark(NamedTuple):
    """What is seen of a cell."""

    mark: Mark
    comment: str


BETWEEN = "\n\n"
WHOLE_ROW = "The whole row:"


def cell_marks(row: ReportRow, source: SourceInfo, *, with_repairs: bool = False) -> dict[int | None, CellMark]:
    """Return what is seen of the row's cells, by their index in the header; None is for columns that the file lacks.

    What is said of the row as a whole stands in its first cell, where it is seen first.
    """
    marks: dict[int | None, CellMark] = {}
    for found in row.findings:
        if found.severity is Severity.INFO and not with_repairs:
            continue
        index = _index_of(found.column, source) if found.column else 0
        _add(marks, index, CellMark(MARK_OF[found.severity], _sentence(found)))
    if row.state in HINTS and row.answer.message:
        sentence = f"{WHOLE_ROW} {code_of_answer(row)}\n{row.answer.message}\n{HINTS[row.state]}"
        _add(marks, 0, CellMark(Mark.ERROR, sentence))
    return marks


def together(one: CellMark, other: CellMark) -> CellMark:
    """Return the mark of a cell that has both, with what is worse said first."""
    first, second = sorted((one, other), key=lambda each: tuple(Mark).index(each.mark))
    is_said = second.comment in first.comment.split(BETWEEN)
    return first if is_said else CellMark(first.mark, f"{first.comment}{BETWEEN}{second.comment}")


def worst_mark(row: ReportRow, file_errors: Sequence[Finding] = ()) -> Mark | None:
    """Return the mark of the worst that is said of the row, None where nothing is."""
    severities = {each.severity for each in (*row.findings, *file_errors)}
    if Severity.ERROR in severities or (row.state in HINTS and row.answer.message):
        return Mark.ERROR
    return Mark.WARNING if Severity.WARNING in severities else None


def comment_of(text: str) -> Comment:
    """Return the comment, as large as its text needs."""
    shown = shown_text(text, COMMENT_CHARACTERS)
    lines = sum(1 + len(line) // LINE_CHARACTERS for line in shown.split("\n"))
    return Comment(shown, AUTHOR, height=(lines + 1) * LINE_HEIGHT_PX, width=COMMENT_WIDTH_PX)


def _add(marks: dict[int | None, CellMark], index: int | None, seen: CellMark) -> None:
    marks[index] = together(marks[index], seen) if index in marks else seen


def _index_of(column: str, source: SourceInfo) -> int | None:
    """Return the place of the column that a finding names; of two of the same name the one that is read."""
    return _indexes(source.header, source.properties).get(column)


@lru_cache(maxsize=16)
def _indexes(header: tuple[str, ...], properties: tuple[str, ...]) -> Mapping[str, int]:
    names = [shorten(each) for each in header]
    read = [index for index in range(len(names)) if index < len(properties) and properties[index]]
    return {names[index]: index for index in (*reversed(range(len(names))), *reversed(read))}


def _sentence(found: Finding) -> str:
    about = "" if found.column else f"{WHOLE_ROW} "
    # A repair has nothing to be done about it; its `was -> is` is all there is to say.
    if found.severity is Severity.INFO:
        return f"{about}changed ({found.code}): {found.message}"
    return f"{about}{found.severity}: {found.message}\n{found.hint}"
