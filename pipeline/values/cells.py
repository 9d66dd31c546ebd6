"""What a workbook says of a cell beyond its text: a number where digits count, an error, a formula without a result."""

import re

from pipeline.declared import SerialForm
from pipeline.editions import PrimitiveType, Property, Shape
from pipeline.findings import Code
from pipeline.identity import failed_formula
from pipeline.model import CellType
from pipeline.values.steps import Problem

SURE_DIGITS = 15
"""What a spreadsheet keeps of a number ("Excel specifications and limits")."""

DIGITS = re.compile(r"[0-9]+")
NUMBER = re.compile(r"[0-9][0-9.]*")

NOT_THERE: dict[CellType, tuple[Code, str]] = {
    CellType.FORMULA: (Code.UNCALCULATED_FORMULA, "the workbook holds a formula here and no result"),
    CellType.MERGED: (Code.MERGED_CELL, "the cell is merged with another one that holds the value"),
}


def find_cell_problem(
    text: str, cell_type: CellType, prop: Property | None, serial: SerialForm | None
) -> Problem | None:
    """Return what can have been lost in a cell that a workbook does not hold as text; None if nothing can.

    `prop` is None for a column that is no property of the object, such as deviceConfigurationId.
    """
    if cell_type in NOT_THERE:
        return Problem(*NOT_THERE[cell_type])
    if cell_type is CellType.ERROR and not failed_formula(text):  # those are found by their text, in any file
        return Problem(Code.ERROR_CELL, f"the cell shows the error {text}")
    if prop is None or cell_type is CellType.ERROR:
        return None
    if prop.shape in {Shape.THUMBPRINT, Shape.SERIAL_NUMBER}:
        return _identifier_problem(text, cell_type, prop, serial)
    return _text_problem(text, cell_type) if prop.type is PrimitiveType.STRING else None


def _text_problem(text: str, cell_type: CellType) -> Problem:
    if cell_type is CellType.DATE:
        # A spreadsheet makes a date of a device name such as MAR-01.
        return Problem(Code.NUMERIC_IDENTIFIER, "the workbook holds this text as a date, so what was entered is lost")
    # A template may have put other texts around the number.
    if cell_type is CellType.NUMBER and any(len(each.replace(".", "")) > SURE_DIGITS for each in NUMBER.findall(text)):
        message = f"the workbook holds this text as a number, of which a spreadsheet keeps {SURE_DIGITS} digits"
        return Problem(Code.NUMERIC_IDENTIFIER, message)
    return Problem(Code.NUMBER_AS_TEXT, f"the workbook holds this text as a {cell_type}")


def _identifier_problem(text: str, cell_type: CellType, prop: Property, serial: SerialForm | None) -> Problem:
    is_declared = prop.shape is Shape.SERIAL_NUMBER and serial is SerialForm.DECIMAL
    digits = text.removeprefix("-")
    if cell_type is CellType.NUMBER and is_declared and DIGITS.fullmatch(digits) and len(digits) <= SURE_DIGITS:
        return Problem(Code.NUMERIC_SERIAL_NUMBER, "the workbook holds the serial number as a number")
    return Problem(
        Code.NUMERIC_IDENTIFIER, f"the workbook holds this identifier as a {cell_type}, so digits may be lost"
    )
