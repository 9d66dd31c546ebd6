"""Writes workbooks that no library writes: raw XML in a zip, and what a hostile hand would make of it."""

import zipfile
from pathlib import Path

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_RELATIONS = "http://purl.oclc.org/ooxml/officeDocument/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
ODF = "urn:oasis:names:tc:opendocument:xmlns"
CALCEXT = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"


def relation(number: int, kind: str, target: str, base: str = RELATIONS) -> str:
    return f'<Relationship Id="rId{number}" Type="{base}/{kind}" Target="{target}"/>'


def sheet_xml(rows: str, tail: str = "") -> str:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{tail}</worksheet>'


def xlsx_parts(
    sheet: str | bytes, *, target: str = "worksheets/sheet1.xml", strict: bool = False
) -> dict[str, str | bytes]:
    """Return the parts of an .xlsx with one sheet, named S."""
    main, base = (STRICT_MAIN, STRICT_RELATIONS) if strict else (MAIN, RELATIONS)
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE}">{relation(1, "officeDocument", "xl/workbook.xml", base)}</Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{main}" xmlns:r="{base}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}">{relation(1, "worksheet", target, base)}'
            f"{relation(2, 'sharedStrings', 'sharedStrings.xml', base)}{relation(3, 'styles', 'styles.xml', base)}"
            "</Relationships>"
        ),
        "xl/worksheets/sheet1.xml": sheet,
    }


def ods_parts(rows: str, table: str = "S") -> dict[str, str | bytes]:
    """Return the parts of an .ods with one table."""
    prefixes = ("office", "table", "text", "style", "drawing")
    names = " ".join(f'xmlns:{name.removesuffix("ing")}="{ODF}:{name}:1.0"' for name in prefixes)
    names += f' xmlns:calcext="{CALCEXT}" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{ODF}:manifest:1.0"/>',
        "content.xml": (
            f'<office:document-content {names} office:version="1.2"><office:automatic-styles/>'
            "<office:body><office:spreadsheet>"
            f'<table:table table:name="{table}">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>"
        ),
    }


def save_zip(path: Path, parts: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def text(reference: str, value: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'


def number(reference: str, value: object) -> str:
    return f'<c r="{reference}"><v>{value}</v></c>'


def ods_row(cells: str, repeated: int = 1) -> str:
    again = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-row{again}>{cells}</table:table-row>"


def ods_cell(content: str, attributes: str = "") -> str:
    """Return a cell of the type string, with XML as its text."""
    return f'<table:table-cell office:value-type="string"{attributes}><text:p>{content}</text:p></table:table-cell>'
