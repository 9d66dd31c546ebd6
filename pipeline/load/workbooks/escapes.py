"""Characters that no workbook can hold, as our own reports write them into one."""

import re
from collections.abc import Iterator

from pipeline.load.table import Record

_ESCAPE = re.compile("_x(005F|FFF[EF])_")


def unescaped(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cells of a report with the characters that the writer of errors.xlsx put into escapes.

    They are U+FFFE and U+FFFF, and the underscore before what only looks like an escape. Halves of surrogate pairs
    stay in their escapes: they are no characters, and no file that is read has them. The escapes of Excel itself, such
    as `_x000D_`, calamine has resolved before.
    """
    return tuple(_ESCAPE.sub(_character, cell) if "_x" in cell else cell for cell in cells)


def unescaped_records(records: Iterator[Record]) -> Iterator[Record]:
    """Yield the records of a report with their cells as `unescaped` returns them."""
    return (record._replace(cells=unescaped(record.cells)) for record in records)


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
