"""Writes workbooks whose bytes are the same each time: parts unpacked, with one date, in the writer's order."""

import datetime
import re
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import xlwt
from openpyxl.worksheet.worksheet import Worksheet
from test_load import encrypted_ods, encrypted_xls, record, save_xlsb, wide_string
from workbook_cases import ods_cell, ods_parts, ods_row
from xlwt.CompoundDoc import XlsDoc

Rows = Sequence[Sequence[object]]
Edit = tuple[str, str, str]  # part, the text in it, what comes in its place

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
THEME = "xl/theme/theme1.xml"


def packed(parts: Mapping[str, bytes]) -> bytes:
    """Return a zip of the parts. They are stored as they are: what deflate makes of them depends on its version."""
    packed_bytes = BytesIO()
    with zipfile.ZipFile(packed_bytes, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system = 3  # ZipInfo takes it from the system that it runs on
            archive.writestr(entry, content)
    return packed_bytes.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the parts of a zip in its order."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(save: Callable[[Path], object]) -> bytes:
    """Return the bytes of the file that `save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        save(path)
        return path.read_bytes()


def xlsx(
    rows: Rows | Mapping[str, Rows],
    arrange: Callable[[openpyxl.Workbook], None] | None = None,
    edits: Sequence[Edit] = (),
) -> Callable[[], bytes]:
    """Return what makes an .xlsx with one sheet `Inventory`, or with these sheets, by openpyxl.

    `arrange` changes the workbook before it is saved; `edits` its XML after that, for what openpyxl cannot write.
    """
    sheets = rows if isinstance(rows, Mapping) else {"Inventory": rows}

    def content() -> bytes:
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.worksheets[0])
        for name, sheet_rows in sheets.items():
            sheet = workbook.create_sheet(name)
            for row in sheet_rows:
                sheet.append(list(row))
        if arrange is not None:
            arrange(workbook)
        written = BytesIO()
        workbook.save(written)
        parts = unpacked(written.getvalue())
        del parts[THEME]  # 10 kB, and nothing needs it
        parts["xl/_rels/workbook.xml.rels"] = re.sub(
            rb"<Relationship [^>]*theme[^>]*/>", b"", parts["xl/_rels/workbook.xml.rels"]
        )
        parts["[Content_Types].xml"] = re.sub(rb"<Override [^>]*theme[^>]*/>", b"", parts["[Content_Types].xml"])
        parts["docProps/core.xml"] = re.sub(
            rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-11-23T08:49:13Z", parts["docProps/core.xml"]
        )
        for part, old, new in edits:
            text = parts[part].decode()
            if text.count(old) != 1:
                raise ValueError(f"{part} does not hold {old} once")
            parts[part] = text.replace(old, new).encode()
        return packed(parts)

    return content


def first_sheet(workbook: openpyxl.Workbook) -> Worksheet:
    """Return the workbook's first sheet."""
    sheet = workbook.worksheets[0]
    assert isinstance(sheet, Worksheet)
    return sheet


def xls(rows: Rows, arrange: Callable[[xlwt.Workbook, object], None] | None = None) -> Callable[[], bytes]:
    """Return what makes an .xls with one sheet `Inventory`, by xlwt; `arrange` gets the workbook and the sheet."""

    def content() -> bytes:
        workbook = xlwt.Workbook()
        sheet = workbook.add_sheet("Inventory")
        when = xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS")
        for row_index, row in enumerate(rows):
            for column_index, value in enumerate(row):
                if isinstance(value, datetime.datetime):
                    sheet.write(row_index, column_index, value, when)
                elif value is not None:
                    sheet.write(row_index, column_index, value)
        if arrange is not None:
            arrange(workbook, sheet)
        return saved(lambda path: workbook.save(str(path)))

    return content


def xlsb(rows: Rows, *, since_1904: bool = False) -> Callable[[], bytes]:
    """Return what makes an .xlsb with one sheet `Inventory`. No library writes that format."""

    def content() -> bytes:
        parts = unpacked(saved(lambda path: save_xlsb(path, [list(row) for row in rows])))
        if since_1904:
            begin, properties = record(131), record(153, struct.pack("<II", 1, 0) + wide_string(""))
            parts["xl/workbook.bin"] = parts["xl/workbook.bin"].replace(begin, begin + properties, 1)
        return packed(parts)

    return content


def ods(rows: Rows, edits: Sequence[Edit] = ()) -> Callable[[], bytes]:
    """Return what makes an .ods with one sheet `Inventory`; `edits` change its XML."""

    def content() -> bytes:
        written = ods_parts("".join(ods_row("".join(map(valued, row))) for row in rows), "Inventory")
        parts = {name: part.encode() if isinstance(part, str) else part for name, part in written.items()}
        for part, old, new in edits:
            text = parts[part].decode()
            if text.count(old) != 1:
                raise ValueError(f"{part} does not hold {old} once")
            parts[part] = text.replace(old, new).encode()
        return packed(parts)

    return content


def valued(value: object) -> str:
    """Return a cell of an .ods (OpenDocument 1.2, part 1, 19.385)."""
    match value:
        case None:
            return "<table:table-cell/>"
        case int() | float():
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        case datetime.datetime():
            return f'<table:table-cell office:value-type="date" office:date-value="{value.isoformat()}"/>'
        case _:
            return ods_cell(escape(str(value)))


def protected_xls() -> bytes:
    """Return an .xls that a password protects."""
    return saved(encrypted_xls)


def protected_ods() -> bytes:
    """Return an .ods that a password protects."""
    return packed(unpacked(saved(encrypted_ods)))


def protected_xlsx() -> bytes:
    """Return the container that Excel makes of an .xlsx with a password: a stream EncryptedPackage (MS-OFFCRYPTO)."""
    content = bytearray(saved(lambda path: XlsDoc().save(str(path), bytes(4096))))
    was, now = "Workbook".encode("utf-16-le"), "EncryptedPackage".encode("utf-16-le")
    place = bytes(content).index(was)
    content[place : place + len(now)] = now
    struct.pack_into("<H", content, place + 64, len(now) + 2)
    return bytes(content)
