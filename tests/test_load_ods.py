"""Cells of .ods files as LibreOffice shows them, where calamine reads something else or nothing."""

from pathlib import Path

import pytest
from workbook_cases import ods_cell, ods_parts, ods_row, save_zip

from pipeline.errors import SourceError
from pipeline.load import LoadOptions, open_tables
from pipeline.model import CellType, Row

HEADER = ods_row(ods_cell("a") + ods_cell("b") + ods_cell("c"))
BOX = "<draw:frame><draw:text-box><text:p>box</text:p></draw:text-box></draw:frame>"
ANNOTATION = "<office:annotation><dc:date>2026-11-23</dc:date><text:p>note<text:tab/></text:p></office:annotation>"
RUBY = "<text:ruby><text:ruby-base>E</text:ruby-base><text:ruby-text>e</text:ruby-text></text:ruby>"
COVERED = '<table:covered-table-cell office:value-type="string"><text:p>E</text:p></table:covered-table-cell>'
ERROR = ((1, CellType.ERROR),)


def rows_of(path: Path) -> list[Row]:
    return [row for table in open_tables(path, LoadOptions()) for chunk in table.chunks for row in chunk.rows]


def read(tmp_path: Path, rows: str) -> list[Row]:
    return rows_of(save_zip(tmp_path / "a.ods", ods_parts(rows)))


def typed(kind: str, content: str) -> str:
    return f"<table:table-cell {kind}>{content}</table:table-cell>"


IS_ERROR = 'calcext:value-type="error"'
STRING = 'office:value-type="string"'
CELLS = {
    "tab and line break": (ods_cell("E<text:tab/>x<text:line-break/>y"), "E\tx\ny", ()),
    "tab in a span": (ods_cell("<text:span>E<text:tab/></text:span>x"), "E\tx", ()),
    "paragraphs and a tab": (ods_cell("E</text:p><text:p/><text:p>x<text:tab/>"), "E\n\nx\t", ()),
    "blanks and a tab": (ods_cell('E<text:s text:c="3"/>x<text:s/><text:tab/>'), "E   x \t", ()),
    "entities and a tab": (ods_cell("&lt;&amp;&#252;<text:tab/>"), "<&ü\t", ()),
    "no type": (typed("", "<text:p>Client</text:p>"), "Client", ()),
    "number without its value": (typed('office:value-type="float"', "<text:p>12</text:p>"), "12", ((1, "number"),)),
    "ruby": (ods_cell(RUBY), "E", ()),
    "box before": (typed(STRING, BOX + "<text:p>E</text:p>"), "E", ()),
    "box within": (ods_cell(f"{BOX}E"), "E", ()),
    "box alone": (typed("", BOX), "", ()),
    "box alone in a text": (typed(STRING, BOX), "", ()),
    "indented": (typed(STRING, "\n  <text:p>E</text:p>\n"), "E", ()),
    "covered": (COVERED, "", ((1, "merged"),)),
    "covered number": ('<table:covered-table-cell office:value-type="float" office:value="5"/>', "", ((1, "merged"),)),
    "covered and empty": ("<table:covered-table-cell/>", "", ()),
    "error": (typed(f'{STRING} office:string-value="" {IS_ERROR}', "<text:p>#N/A</text:p>"), "#N/A", ERROR),
    "error without string-value": (typed(f"{STRING} {IS_ERROR}", "<text:p>Err:502</text:p>"), "Err:502", ERROR),
    "error with a number": (
        typed(f'office:value-type="float" office:value="0" {IS_ERROR}', "<text:p>#DIV/0!</text:p>"),
        "#DIV/0!",
        ERROR,
    ),
    "error without text": (typed(f'{STRING} office:string-value="" {IS_ERROR}', ""), "#UNKNOWN!", ERROR),
    "text that looks so": (ods_cell("#N/A"), "#N/A", ()),
    "annotation": (typed(STRING, ANNOTATION + "<text:p>E</text:p>"), "E", ()),
    "annotation of an empty cell": (typed("", ANNOTATION), "", ()),
    "spans and links": (ods_cell("<text:span>E</text:span> <text:a>x</text:a>"), "E x", ()),
    "blanks": (ods_cell('E<text:s text:c="3"/>x'), "E   x", ()),
    "paragraphs": (ods_cell("E</text:p><text:p>x"), "E\nx", ()),
    "string-value": (typed(f'{STRING} office:string-value="E"', "<text:p>x<text:tab/></text:p>"), "E", ()),
    "number": (
        typed('office:value-type="float" office:value="5"', "<text:p>5.00<text:tab/></text:p>"),
        "5",
        ((1, "number"),),
    ),
}


@pytest.mark.parametrize(("cell", "text", "types"), CELLS.values(), ids=CELLS)
def test_a_cell_is_what_libreoffice_shows(
    tmp_path: Path, cell: str, text: str, types: tuple[tuple[int, CellType], ...]
) -> None:
    """Tabs, breaks, untyped texts and errors are read; boxes, ruby text and what a merged cell covers are not."""
    assert read(tmp_path, HEADER + ods_row(ods_cell("x") + cell + ods_cell("z"))) == [Row(2, ("x", text, "z"), types)]


def test_repeated_cells_and_rows_are_read_alike(tmp_path: Path) -> None:
    """A text with a tab that stands for several cells and rows is in each of them, and in no other."""
    rows = ods_row(ods_cell("x<text:tab/>", ' table:number-columns-repeated="2"') + ods_cell("z"), 2)

    assert read(tmp_path, HEADER + rows + ods_row(ods_cell("y"))) == [
        Row(2, ("x\t", "x\t", "z")),
        Row(3, ("x\t", "x\t", "z")),
        Row(4, ("y", "", "")),
    ]


def test_a_sheet_of_untyped_texts_is_read(tmp_path: Path) -> None:
    """Texts without a type count wherever they stand: at the sides, below all others, or alone in the sheet."""
    untyped = typed("", "<text:p>x</text:p>")
    around = (
        ods_row(untyped * 3) + ods_row(untyped + ods_cell("y") + untyped) + ods_row("<table:table-cell/>" + untyped)
    )

    assert read(tmp_path, around) == [Row(2, ("x", "y", "x")), Row(3, ("", "x", ""))]
    assert read(tmp_path, ods_row(untyped) * 2) == [Row(2, ("x",))]


def test_each_table_has_cells_of_its_own(tmp_path: Path) -> None:
    """What is found in one sheet is not written into another."""
    tab = ods_row(ods_cell("x<text:tab/>"))
    second = f'</table:table><table:table table:name="T">{ods_row(ods_cell("a"))}{ods_row(ods_cell("y"))}'

    assert read(tmp_path, ods_row(ods_cell("a")) + tab + second) == [Row(2, ("x\t",)), Row(2, ("y",))]


def test_merged_cells_below_a_group_of_rows_keep_their_place(tmp_path: Path) -> None:
    """The element around grouped rows is no row itself."""
    first = ods_row(ods_cell("x", ' table:number-rows-spanned="2"') + ods_cell("1"))
    below = ods_row("<table:covered-table-cell/>" + ods_cell("2"))
    rows = f"{HEADER}<table:table-row-group>{first}{below}</table:table-row-group>"

    assert read(tmp_path, rows) == [Row(2, ("x", "1", "")), Row(3, ("", "2", ""), ((0, CellType.MERGED),))]


def test_a_span_of_no_rows_is_one_row(tmp_path: Path) -> None:
    """A cell that says it spans 0 rows is merged within its row."""
    cell = ods_cell("x", ' table:number-columns-spanned="2" table:number-rows-spanned="0"')

    assert read(tmp_path, HEADER + ods_row(f"{cell}<table:covered-table-cell/>")) == [
        Row(2, ("x", "", ""), ((1, CellType.MERGED),))
    ]


def test_more_misread_cells_than_can_be_held_are_refused(tmp_path: Path) -> None:
    """Millions of cells that calamine misreads are refused before they are held."""
    with pytest.raises(SourceError) as caught:
        read(tmp_path, HEADER + ods_row(ods_cell("<text:tab/>") * 2, 600_000))

    assert str(caught.value).endswith(
        "a.ods has more than 1,000,000 cells with an error, a formula that was never calculated, or a text without a "
        "type: mend its formulas, or save the sheet as CSV UTF-8."
    )
