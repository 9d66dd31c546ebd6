"""What a workbook's cell type gives away of values that were lost before they were read."""

import pytest

from pipeline.declared import SerialForm
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EnumType, PrimitiveType, Property
from pipeline.findings import Code
from pipeline.model import CellType
from pipeline.values.cells import find_cell_problem
from pipeline.values.steps import Problem

PROPERTIES = {each.name: each for each in (*EDITION_1706.properties, *EDITION_CURRENT.properties)}
IDENTIFIERS = ("certificateThumbprint", "certificateSerialNumber")
NAMES = [name for name, each in PROPERTIES.items() if each.type is PrimitiveType.STRING and name not in IDENTIFIERS]
TYPED = [
    name
    for name, each in PROPERTIES.items()
    if isinstance(each.type, EnumType) or each.type in {PrimitiveType.INT32, PrimitiveType.DATETIMEOFFSET}
]
DECLARED = [None, SerialForm.HEX, SerialForm.DECIMAL]
ANY_PROPERTY = [None, *PROPERTIES.values()]


@pytest.mark.parametrize("prop", ANY_PROPERTY, ids=lambda prop: prop.name if prop else "other")
@pytest.mark.parametrize(
    ("text", "cell_type", "problem"),
    [
        ("", CellType.FORMULA, Problem(Code.UNCALCULATED_FORMULA, "the workbook holds a formula here and no result")),
        ("", CellType.MERGED, Problem(Code.MERGED_CELL, "the cell is merged with another one that holds the value")),
        ("#new", CellType.ERROR, Problem(Code.ERROR_CELL, "the cell shows the error #new")),
    ],
)
def test_a_cell_without_a_value_of_its_own(
    prop: Property | None, text: str, cell_type: CellType, problem: Problem
) -> None:
    """A formula without a result, a merged cell and an error are problems in every column that is read."""
    assert find_cell_problem(text, cell_type, prop, None) == problem


@pytest.mark.parametrize("literal", ["#N/A", "#REF!", "#BEZUG!"])
@pytest.mark.parametrize("name", ["certificateThumbprint", "deviceDisplayName", "certificateKeyLength"])
def test_an_error_that_its_text_tells_is_not_told_twice(name: str, literal: str) -> None:
    """The known errors are found by their text, in files of any format."""
    assert find_cell_problem(literal, CellType.ERROR, PROPERTIES[name], None) is None


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize("cell_type", [CellType.NUMBER, CellType.BOOLEAN, CellType.DATE])
@pytest.mark.parametrize("text", ["5", "0" * 40, "1" * 40, "TRUE", "2026-03-01T00:00:00", "1200000"])
def test_a_thumbprint_that_a_workbook_holds_otherwise_is_lost(
    text: str, cell_type: CellType, declared: SerialForm | None
) -> None:
    """A thumbprint that is a number, boolean or date is refused, whatever is declared."""
    message = f"the workbook holds this identifier as a {cell_type}, so digits may be lost"

    assert find_cell_problem(text, cell_type, PROPERTIES["certificateThumbprint"], declared) == Problem(
        Code.NUMERIC_IDENTIFIER, message
    )


@pytest.mark.parametrize(
    ("text", "cell_type", "declared", "passes"),
    [
        ("167", CellType.NUMBER, SerialForm.DECIMAL, True),
        ("-167", CellType.NUMBER, SerialForm.DECIMAL, True),
        ("9" * 15, CellType.NUMBER, SerialForm.DECIMAL, True),
        ("-" + "9" * 15, CellType.NUMBER, SerialForm.DECIMAL, True),
        ("9" * 16, CellType.NUMBER, SerialForm.DECIMAL, False),
        ("1200000000000000000", CellType.NUMBER, SerialForm.DECIMAL, False),
        ("1.5", CellType.NUMBER, SerialForm.DECIMAL, False),
        ("1e+22", CellType.NUMBER, SerialForm.DECIMAL, False),
        ("\u0661\u0666\u0667", CellType.NUMBER, SerialForm.DECIMAL, False),
        ("A7", CellType.NUMBER, SerialForm.DECIMAL, False),
        ("167", CellType.DATE, SerialForm.DECIMAL, False),
        ("167", CellType.BOOLEAN, SerialForm.DECIMAL, False),
        ("167", CellType.NUMBER, SerialForm.HEX, False),
        ("167", CellType.NUMBER, None, False),
    ],
)
def test_a_serial_number_that_a_workbook_holds_as_a_number(
    text: str, cell_type: CellType, declared: SerialForm | None, *, passes: bool
) -> None:
    """Only a whole number of at most 15 digits passes, with a warning, and only with `serial: decimal`."""
    expected = (
        Problem(Code.NUMERIC_SERIAL_NUMBER, "the workbook holds the serial number as a number")
        if passes
        else Problem(
            Code.NUMERIC_IDENTIFIER, f"the workbook holds this identifier as a {cell_type}, so digits may be lost"
        )
    )

    assert find_cell_problem(text, cell_type, PROPERTIES["certificateSerialNumber"], declared) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_a_workbook_made_a_date(name: str) -> None:
    """A device name such as MAR-01 becomes a date in Excel, so what was entered is lost."""
    assert find_cell_problem("2026-03-01T00:00:00", CellType.DATE, PROPERTIES[name], None) == Problem(
        Code.NUMERIC_IDENTIFIER, "the workbook holds this text as a date, so what was entered is lost"
    )


@pytest.mark.parametrize(
    "text", ["1234567890123456", "-12345678901234567890", "PC 1234567890123456", "0.1234567890123456"]
)
def test_a_long_number_is_no_name(text: str) -> None:
    """A spreadsheet keeps 15 digits of a number, also where a template puts a text before it."""
    assert find_cell_problem(text, CellType.NUMBER, PROPERTIES["deviceDisplayName"], None) == Problem(
        Code.NUMERIC_IDENTIFIER, "the workbook holds this text as a number, of which a spreadsheet keeps 15 digits"
    )


@pytest.mark.parametrize(
    ("text", "cell_type"),
    [
        ("4711", CellType.NUMBER),
        ("-123456789012345", CellType.NUMBER),
        ("1.5", CellType.NUMBER),
        ("TRUE", CellType.BOOLEAN),
        ("Contoso device in Zurich, number 4711", CellType.NUMBER),
    ],
)
def test_a_short_number_is_a_name_with_a_warning(text: str, cell_type: CellType) -> None:
    """Numbers of up to 15 digits and booleans are names like others, but what their format shows is not in them."""
    assert find_cell_problem(text, cell_type, PROPERTIES["deviceDisplayName"], None) == Problem(
        Code.NUMBER_AS_TEXT, f"the workbook holds this text as a {cell_type}"
    )


@pytest.mark.parametrize("name", [None, *TYPED])
@pytest.mark.parametrize("cell_type", [CellType.NUMBER, CellType.BOOLEAN, CellType.DATE])
def test_numbers_and_dates_are_welcome_where_they_belong(name: str | None, cell_type: CellType) -> None:
    """A number, date or boolean is nothing lost in a column of another type; whether it fits, validation says."""
    assert find_cell_problem("12345678901234567890", cell_type, PROPERTIES[name] if name else None, None) is None
