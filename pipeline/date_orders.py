"""Dates in two orders: where a column proves that the declared order does not hold, it decides nothing. No I/O."""

from collections.abc import Iterator, Sequence

from pipeline.findings import Code, Finding, finding
from pipeline.model import IMPORT_PREFIX, StagedRow

DOUBT = "the date can be read in two ways, and the declared order does not hold in this column"


class DateOrders:
    """What the rows of one table prove of the order of its dates, column by column.

    errors.csv may come without the row that proved the mixture; there the code counts that it carries. But when that
    row is there, unchanged, and the order that is declared now reads it for certain, the declaration was wrong.
    """

    def __init__(self, header: Sequence[str]) -> None:
        folded = [cell.strip().casefold() for cell in header]
        names = [f"{IMPORT_PREFIX}{name}" for name in ("code", "column", "value")]
        self._places = [folded.index(name) for name in names if name in folded]
        self._is_report = len(self._places) == len(names)
        self._proofs: dict[str, str] = {}
        self._earlier: dict[str, str] = {}
        self._withdrawn: set[str] = set()

    def take_in(self, staged: Sequence[StagedRow]) -> None:
        """Take in the next rows of the table."""
        for row in staged:
            doubted = self._doubted_before(row)
            for each in row.findings:
                if each.code is Code.DATE_ORDER_CONTRADICTED:
                    self._proofs.setdefault(each.column, f"in row {row.row_number} {each.message}")
                elif each.code is Code.DATE_ORDER and each.column in doubted:
                    why = f"row {row.row_number} was refused for that when it was read first"
                    self._earlier.setdefault(each.column, why)
                elif each.code is Code.DATE_TIME_FORM and doubted.get(each.column) == each.value:
                    self._withdrawn.add(each.column)

    def contradicted(self) -> Iterator[Finding]:
        """Yield for each column in doubt what is wrong with the dates that only the declared order decided."""
        earlier = {column: why for column, why in self._earlier.items() if column not in self._withdrawn}
        for column, why in (earlier | self._proofs).items():
            # The column is shortened already, as the ledger has it.
            yield finding(Code.DATE_ORDER_CONTRADICTED, f"{DOUBT}: {why}")._replace(column=column)

    def _doubted_before(self, row: StagedRow) -> dict[str, str]:
        """Return the columns that errors.csv says were in doubt in this row, with the value that it shows."""
        if not self._is_report:
            return {}
        told = zip(*(row.cells[place].split("; ") for place in self._places), strict=False)
        return {column: value for code, column, value in told if code == Code.DATE_ORDER_CONTRADICTED}
