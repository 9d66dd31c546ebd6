"""The lines that a reader looks through: what is told, of which row, and in which order."""

from collections.abc import Iterable

from pipeline.findings import Code, Severity, change, finding
from pipeline.model import Answer, ReportRow, State
from pipeline.report import Line, lines_of
from pipeline.report.causes import HINTS

BAD_DATE = finding(Code.NOT_A_DATE_TIME, "no date", column="Expires", value="soon")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column="Length", value="4")
REPAIRED = change(Code.HEX_FORM, "ab cd", "ABCD", column="Thumbprint")
MISSING = finding(Code.MISSING_COLUMN, "no column", column="Serial")
UNKNOWN = finding(Code.UNKNOWN_COLUMN, "not sent", column="Colour")
REFUSAL = Answer(400, "", "BadRequest", "bad length", "request", "ours")

INVALID = ReportRow(1, 7, State.INVALID, "", ("a", "soon"), None, (REPAIRED, ODD_LENGTH, BAD_DATE), 0, Answer())
REJECTED = ReportRow(2, 8, State.REJECTED, "ios", ("b", "c"), b"{}", (ODD_LENGTH,), 2, REFUSAL)
HELD_BACK = ReportRow(2, 9, State.PLANNED, "ios", ("b", "d"), b"{}", (), 0, Answer())
CREATED = ReportRow(2, 10, State.CREATED, "ios", None, b"{}", (REPAIRED,), 1, Answer(201, "id"))


def rows_with(severity: Severity) -> Iterable[ReportRow]:
    rows = (INVALID, REJECTED, HELD_BACK, CREATED)
    return [row for row in rows if any(each.severity is severity for each in row.findings)]


def test_errors_come_first_then_warnings_then_changes() -> None:
    """Within each whole files first, then rows as they were read; refusals are errors, what is held back is nothing."""
    lines = lines_of([(1, UNKNOWN), (1, MISSING)], [INVALID, REJECTED, HELD_BACK], rows_with)

    assert [(each.source_pk, each.row_number, each.severity, each.code) for each in lines] == [
        (1, None, "error", "missing-column"),
        (1, 7, "error", "not-a-date-time"),
        (2, 8, "error", "rejected 400 BadRequest"),
        (1, None, "warning", "unknown-column"),
        (1, 7, "warning", "key-length-unusual"),
        (2, 8, "warning", "key-length-unusual"),
        (1, 7, "info", "hex-form"),
        (2, 10, "info", "hex-form"),
    ]


def test_a_line_holds_all_that_is_known_of_its_row() -> None:
    """The finding, the row's cells, its route and its last answer; of a change also what the value became."""
    of_file, of_row, of_answer, *_ = lines_of([(1, MISSING)], [INVALID, REJECTED], lambda _: ())
    (changed,) = (each for each in lines_of([], [], rows_with) if each.became and each.state is State.CREATED)

    assert of_file == Line(
        1,
        None,
        None,
        Severity.ERROR,
        "missing-column",
        "Serial",
        "",
        None,
        "no column",
        MISSING.hint,
        "",
        0,
        Answer(),
        None,
    )
    assert of_row == Line(
        1,
        7,
        State.INVALID,
        Severity.ERROR,
        "not-a-date-time",
        "Expires",
        "soon",
        None,
        "no date",
        BAD_DATE.hint,
        "",
        0,
        Answer(),
        ("a", "soon"),
    )
    assert of_answer == Line(
        2,
        8,
        State.REJECTED,
        Severity.ERROR,
        "rejected 400 BadRequest",
        "",
        "",
        None,
        "bad length",
        HINTS[State.REJECTED],
        "ios",
        2,
        REFUSAL,
        ("b", "c"),
    )
    assert (changed.value, changed.became, changed.cells) == ("ab cd", "ABCD", None)


def test_warnings_are_not_read_before_the_errors_are_used_up() -> None:
    """Who needs the first lines only does not pay for the others."""
    asked: list[Severity] = []

    def watched(severity: Severity) -> Iterable[ReportRow]:
        asked.append(severity)
        return ()

    lines = lines_of([(1, MISSING)], [INVALID], watched)
    first = [next(lines), next(lines)]

    assert ([each.code for each in first], asked) == (["missing-column", "not-a-date-time"], [])
    assert (list(lines), asked) == ([], [Severity.WARNING, Severity.INFO])
