"""Hostile files in a process of their own that gets less than 1 GB more: one sentence, no abort. Linux only."""

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from test_load import save_xls, save_xlsb
from workbook_cases import MAIN, number, ods_parts, save_zip, sheet_xml, text, xlsx_parts

LIMIT_BYTES = 900_000_000
READER = f"""
import resource, sys
from pathlib import Path
from pipeline.errors import SourceError
from pipeline.load import LoadOptions, open_tables
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {LIMIT_BYTES},) * 2)
try:
    for table in open_tables(Path(sys.argv[1]), LoadOptions()):
        print(sum(len(chunk.rows) for chunk in table.chunks), "rows")
except SourceError as exc:
    sys.exit(f"refused: {{exc}}")
"""


def claiming_xlsb(path: Path) -> Path:
    """Write an .xlsb whose list of strings claims four billion of them."""
    save_xlsb(path, [["a"], ["b"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/sharedStrings.bin", b"\x9f\x01\x08" + struct.pack("<II", 2**32 - 1, 2**32 - 1))
    return path


def claiming_xls(path: Path, rows: int, columns: int) -> Path:
    content = save_xls(path, [["a"], ["b"]]).read_bytes()
    place = content.index(struct.pack("<HH", 0x200, 14)) + 4
    path.write_bytes(content[:place] + struct.pack("<IIHH", 0, rows, 0, columns) + content[place + 12 :])
    return path


def repeated(count: int, rows: int) -> str:
    cell = f'<table:table-cell office:value-type="string" table:number-columns-repeated="{count}"><text:p>a</text:p>'
    return f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-cell></table:table-row>'


ROW = '<row r="1">' + text("A1", "a") + "</row>"
SMALL = xlsx_parts(sheet_xml(ROW))
STRAY = xlsx_parts(sheet_xml(ROW + '<row r="1048576">' + number("XFD1048576", 1) + "</row>"))
CLAIMING = SMALL | {"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}" uniqueCount="4000000000"/>'}
BOMB = SMALL | {"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">' + "<si/>" * 20_000_000 + "</sst>"}
STYLES = SMALL | {
    "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">' + "<cellXfs><xf/></cellXfs>" * 5_000_000 + "</styleSheet>"
}
BLANKS = ods_parts(
    '<table:table-row><table:table-cell office:value-type="string"><text:p><text:s text:c="2000000000"/></text:p>'
    "</table:table-cell></table:table-row>"
)

LAUGHS = SMALL | {
    "xl/worksheets/sheet1.xml": (
        '<!DOCTYPE worksheet [<!ENTITY a0 "ha">'
        + "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
        + f'<!ENTITY file SYSTEM "file:///etc/hostname">]><worksheet xmlns="{MAIN}"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>&a9;&file;</t></is></c></row></sheetData></worksheet>'
    )
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


HOSTILE = {
    "laughs.xlsx": lambda path: save_zip(path, LAUGHS),
    "wide.csv": lambda path: written(path, b",".join([b"column"] * 1_000_000) + b"\n" + b"," * 999_999 + b"\n"),
    "sequences.cer": lambda path: written(path, b"\x30\x81\x00" * 3_000_000),
    "zeros.csv": lambda path: written(path, bytes(20_000_000)),
    "stray.xlsx": lambda path: save_zip(path, STRAY),
    "claim.xlsx": lambda path: save_zip(path, CLAIMING),
    "bomb.xlsx": lambda path: save_zip(path, BOMB),
    "styles.xlsx": lambda path: save_zip(path, STYLES),
    "claim.xlsb": claiming_xlsb,
    "claim.xls": lambda path: claiming_xls(path, 2**32 - 1, 2**16 - 1),
    "wide.xls": lambda path: claiming_xls(path, 60_000, 2**16 - 1),
    "repeated.ods": lambda path: save_zip(path, ods_parts(repeated(10_000, 1_000_000))),
    "blanks.ods": lambda path: save_zip(path, BLANKS),
}


def read_with_little_memory(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", READER, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_sentence(tmp_path: Path, name: str) -> None:
    """The process ends in a refusal of its own and not for want of memory."""
    path = HOSTILE[name](tmp_path / name)

    ended = read_with_little_memory(path)

    assert (ended.returncode, ended.stdout, ended.stderr.startswith(f"refused: {path} ")) == (1, "", True), ended.stderr


def test_a_large_sheet_needs_no_more_than_its_memory(tmp_path: Path) -> None:
    """A rectangle of 16 million places that holds two cells is read."""
    rows = ROW + '<row r="1048576">' + number("P1048576", 1) + "</row>"
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(rows)))

    ended = read_with_little_memory(path)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1 rows\n", "")
