"""Files become tables: text files (CSV) and workbooks (Excel, OpenDocument), every cell as text, nothing guessed.

The only module that imports numpy, pandas, python-calamine, charset-normalizer and defusedxml. It reads files and
writes none.

    table.py              what text files and workbooks have in common: Table, Chunk, the header, blank and ragged rows
    text_files/           .csv, .tsv, .txt
    workbooks/            .xlsx, .xlsm, .xls, .xlsb, .ods
    certificate_files.py  .pem, .cer, .crt, .der, .p7b, .p7c: a row per certificate
"""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.load.certificate_files import CERTIFICATE_FILE_HEADER, open_certificates
from pipeline.load.table import Block, Chunk, LoadOptions, Origin, Table, changed, chunk_of, reading
from pipeline.load.text_files.pieces import read_again
from pipeline.load.text_files.text import open_text
from pipeline.load.text_files.text_rows import TextRows
from pipeline.load.workbooks.workbook import open_sheets

__all__ = [
    "CERTIFICATE_FILE_HEADER",
    "CERTIFICATE_SUFFIXES",
    "TEXT_SUFFIXES",
    "WORKBOOK_SUFFIXES",
    "Block",
    "Chunk",
    "LoadOptions",
    "Origin",
    "Table",
    "TextRows",
    "changed",
    "chunk_of",
    "open_tables",
    "read_again",
    "sha256_of",
]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
CERTIFICATE_SUFFIXES = (".pem", ".cer", ".crt", ".der", ".p7b", ".p7c")


def open_tables(path: Path, options: LoadOptions) -> Iterator[Table]:
    """Yield the tables of a file: one of a text file, one per sheet with content of a workbook, in its order.

    The file's ending says how it is read, in any letter case. A text file has been read through once when its table
    comes out, so a byte that is not in its encoding shows before its first row. The rows of a table may be read after
    the next table was asked for; each open text table holds two file handles while it is being read.

    Raises SourceError, here and from `Table.chunks`, when the file cannot be read as a table.
    """
    _check_file(path)
    suffix = path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        yield open_text(path, options)
    elif suffix in WORKBOOK_SUFFIXES:
        yield from open_sheets(path, options)
    elif suffix in CERTIFICATE_SUFFIXES:
        yield open_certificates(path, options)
    else:
        supported = " ".join((*TEXT_SUFFIXES, *WORKBOOK_SUFFIXES, *CERTIFICATE_SUFFIXES))
        ending = f"the ending {path.suffix}" if suffix else "a name without an ending"
        raise SourceError(f"{path} has {ending}, which cannot be read: save it as one of {supported}.")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 lower-case hex digits. Raises SourceError if it cannot be read."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path) -> None:
    with reading(path):
        status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{path} is a directory: name the files in it one by one.")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is a pipe or device, which cannot be read twice: save its content to a file first.")
    if status.st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes): export it again.")
