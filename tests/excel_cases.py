"""An .xlsx as Excel 365 writes it, with all that it adds to a plain table, for tests of what a copy keeps."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from workbook_cases import MAIN, PACKAGE, RELATIONS, relation

DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
THEME = "http://schemas.openxmlformats.org/drawingml/2006/main"
MICROSOFT = "http://schemas.microsoft.com/office"
NAMESPACES = (
    f'xmlns="{MAIN}" xmlns:r="{RELATIONS}" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    f'xmlns:x14ac="{MICROSOFT}/spreadsheetml/2009/9/ac" xmlns:x15="{MICROSOFT}/spreadsheetml/2010/11/main" '
    f'xmlns:x15ac="{MICROSOFT}/spreadsheetml/2010/11/ac" xmlns:xr="{MICROSOFT}/spreadsheetml/2014/revision" '
    f'xmlns:xr2="{MICROSOFT}/spreadsheetml/2015/revision2" '
    f'xmlns:xr6="{MICROSOFT}/spreadsheetml/2016/revision6" '
    f'xmlns:x14="{MICROSOFT}/spreadsheetml/2009/9/main" '
    'xmlns:xcalcf="http://schemas.microsoft.com/office/spreadsheetml/2018/calcfeatures" '
    'mc:Ignorable="x14ac x15 xr xr2 xr6"'
)
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
UID = "{00000000-0001-0000-0000-000000000000}"
HEADER = ("Device Display Name", "certificateExpirationDateTime", "certificateKeyLength", "certificateSerialNumber")
STRINGS = (*HEADER, "PHONE-1", "PHONE-2", "  4A 01 ", "4A02", "two\nlines", "soon")


def cell(reference: str, value: str, *, style: int = 0, kind: str = "") -> str:
    """Return the XML of a cell."""
    attributes = f' s="{style}"' * bool(style) + f' t="{kind}"' * bool(kind)
    return f'<c r="{reference}"{attributes}><v>{value}</v></c>'


HEADER_CELLS = "".join(cell(f"{letter}1", str(at), style=1, kind="s") for at, letter in enumerate("ABCD"))
ROWS = (
    f'<row r="1" spans="1:4" ht="28.8" x14ac:dyDescent="0.3">{HEADER_CELLS}</row>'
    '<row r="2" spans="1:4" x14ac:dyDescent="0.3">'
    f"{cell('A2', '4', kind='s')}{cell('B2', '46349.367511574077', style=2)}{cell('C2', '2048')}"
    f"{cell('D2', '6', style=3, kind='s')}</row>"
    '<row r="3" spans="1:4" s="3" customFormat="1" hidden="1" x14ac:dyDescent="0.3">'
    f"{cell('A3', '5', style=3, kind='s')}{cell('B3', '9', style=3, kind='s')}{cell('C3', '0.30000000000000004')}"
    '<c r="D3" s="3"/></row>'
)
SHEET_HEAD = (
    '<sheetPr><tabColor rgb="FFFF0000"/></sheetPr><dimension ref="A1:D3"/><sheetViews><sheetView '
    'tabSelected="1" '
    'workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '<selection pane="bottomLeft" activeCell="B3" sqref="B3"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="14.4" x14ac:dyDescent="0.3"/><cols>'
    '<col min="1" max="1" width="20.6640625" style="3" bestFit="1" customWidth="1"/>'
    '<col min="2" max="4" width="9.109375" customWidth="1"/></cols>'
)
SHEET_TAIL = (
    f'<autoFilter ref="A1:D3" xr:uid="{UID}"/><phoneticPr fontId="1" type="noConversion"/>'
    '<conditionalFormatting sqref="C2:C3"><cfRule type="cellIs" dxfId="0" priority="1" operator="lessThan">'
    "<formula>2048</formula></cfRule></conditionalFormatting>"
    f'<dataValidations count="1"><dataValidation type="list" allowBlank="1" showInputMessage="1" sqref="D2:D3" '
    f'xr:uid="{UID}"><formula1>"a,b"</formula1></dataValidation></dataValidations>'
    f'<hyperlinks><hyperlink ref="A2" r:id="rId2" xr:uid="{UID}"/></hyperlinks>'
    '<pageMargins left="0.7" right="0.7" top="0.78740157499999996" bottom="0.78740157499999996" '
    'header="0.3" footer="0.3"/>'
    '<pageSetup paperSize="9" orientation="portrait" r:id="rId1"/>'
    '<ignoredErrors><ignoredError sqref="D2:D3" numberStoredAsText="1"/></ignoredErrors>'
)


def worksheet(rows: str = ROWS, head: str = SHEET_HEAD, tail: str = SHEET_TAIL) -> str:
    """Return the XML of a worksheet."""
    return f'<worksheet {NAMESPACES} xr:uid="{UID}">{head}<sheetData>{rows}</sheetData>{tail}</worksheet>'


def part_types(parts: Mapping[str, object]) -> str:
    """Return [Content_Types].xml for the parts."""
    kinds = {
        "xl/workbook.xml": f"{TYPES}.sheet.main+xml",
        "xl/worksheets/sheet1.xml": f"{TYPES}.worksheet+xml",
        "xl/theme/theme1.xml": "application/vnd.openxmlformats-officedocument.theme+xml",
        "xl/styles.xml": f"{TYPES}.styles+xml",
        "xl/sharedStrings.xml": f"{TYPES}.sharedStrings+xml",
        "docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
        "docProps/app.xml": "application/vnd.openxmlformats-officedocument.extended-properties+xml",
        "docProps/custom.xml": "application/vnd.openxmlformats-officedocument.custom-properties+xml",
    }
    overrides = "".join(
        f'<Override PartName="/{part}" ContentType="{kinds[part]}"/>' for part in parts if part in kinds
    )
    return (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Default Extension="bin" ContentType="{TYPES}.printerSettings"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def strings(texts: tuple[str, ...] = STRINGS) -> str:
    """Return the shared strings."""
    spaces = [' xml:space="preserve"' if each != each.strip() else "" for each in texts]
    items = "".join(f"<si><t{space}>{each}</t></si>" for space, each in zip(spaces, texts, strict=True))
    return f'<sst xmlns="{MAIN}" count="{len(texts)}" uniqueCount="{len(texts)}">{items}</sst>'


STYLES = (
    f'<styleSheet {NAMESPACES}><numFmts count="1"><numFmt numFmtId="164" '
    'formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2" x14ac:knownFonts="1"><font><sz val="11"/><color theme="1"/><name val="Aptos '
    'Narrow"/><family val="2"/>'
    '<scheme val="minor"/></font><font><b/><sz val="11"/><color theme="0" tint="-0.14999847407452621"/>'
    '<name val="Aptos Narrow"/><family val="2"/><scheme val="minor"/></font></fonts>'
    '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill '
    'patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor theme="4" tint="0.39997558519241921"/><bgColor '
    'indexed="64"/></patternFill></fill></fills>'
    "<borders count='2'><border><left/><right/><top/><bottom/><diagonal/></border><border><left/><right/><top/>"
    '<bottom style="thin"><color auto="1"/></bottom><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="2" borderId="1" xfId="0" applyFont="1" applyFill="1" '
    'applyBorder="1" applyAlignment="1">'
    '<alignment vertical="top" wrapText="1"/></xf>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" '
    'applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Standard" xfId="0" builtinId="0"/></cellStyles>'
    '<dxfs count="1"><dxf><font><color rgb="FF9C0006"/></font><fill><patternFill><bgColor '
    'rgb="FFFFC7CE"/></patternFill></fill></dxf></dxfs>'
    '<tableStyles count="0" defaultTableStyle="TableStyleMedium2" defaultPivotStyle="PivotStyleLight16"/>'
    '<colors><mruColors><color rgb="FF00FF00"/></mruColors></colors>'
    '<extLst><ext uri="{EB79DEF2-80B8-43e5-95BD-54CBDDF9020C}"><x14:slicerStyles '
    'defaultSlicerStyle="SlicerStyleLight1"/></ext>'
    '<ext uri="{9260A510-F301-46a8-8635-F512D64BE5F5}"><x15:timelineStyles '
    'defaultTimelineStyle="TimeSlicerStyleLight1"/></ext></extLst>'
    "</styleSheet>"
)

WORKBOOK = (
    f'<workbook {NAMESPACES}><fileVersion appName="xl" lastEdited="7" lowestEdited="7" rupBuild="28025"/>'
    '<workbookPr filterPrivacy="1" defaultThemeVersion="202300"/><mc:AlternateContent><mc:Choice '
    'Requires="x15">'
    '<x15ac:absPath url="C:\\inventory\\"/></mc:Choice></mc:AlternateContent>'
    f'<xr:revisionPtr revIDLastSave="0" documentId="13_ncr:1_{UID}" xr6:coauthVersionLast="47" '
    'xr6:coauthVersionMax="47"/>'
    '<bookViews><workbookView xWindow="-108" yWindow="-108" windowWidth="23256" '
    f'windowHeight="12456" xr2:uid="{UID}"/>'
    '</bookViews><sheets><sheet name="Devices" sheetId="3" r:id="rId1"/></sheets><definedNames>'
    '<definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">Devices!$A$1:$D$3</definedName>'
    '<definedName name="Keys">Devices!$C$2:$C$3</definedName>'
    '<definedName name="_xlnm.Print_Titles" localSheetId="0">Devices!$1:$1</definedName></definedNames>'
    '<calcPr calcId="191029"/><extLst><ext uri="{140A7094-0E35-4892-8432-C4D2E57EDEB5}">'
    '<x15:workbookPr chartTrackingRefBase="1"/>'
    '</ext><ext uri="{B58B0392-4F1F-4190-BB64-5DF3571DCE5F}"><xcalcf:calcFeatures><xcalcf:feature '
    'name="microsoft.com:RD"/>'
    "</xcalcf:calcFeatures></ext></extLst></workbook>"
)
LABEL = (
    '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
    f'xmlns:vt="{DOCUMENT}">'
    '<property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="2" name="MSIP_Label_1_Enabled">'
    "<vt:lpwstr>true</vt:lpwstr></property>"
    "</Properties>"
)


def save_excel(path: Path, **changed: str | bytes) -> Path:
    """Write the workbook, with parts replaced or added, by their names."""
    parts: dict[str, str | bytes] = {
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE}">{relation(1, "officeDocument", "xl/workbook.xml")}'
            f"{relation(2, 'custom-properties', 'docProps/custom.xml')}</Relationships>"
        ),
        "xl/workbook.xml": WORKBOOK,
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}">{relation(1, "worksheet", "worksheets/sheet1.xml")}'
            f"{relation(2, 'theme', 'theme/theme1.xml')}{relation(3, 'styles', 'styles.xml')}"
            f"{relation(4, 'sharedStrings', 'sharedStrings.xml')}</Relationships>"
        ),
        "xl/worksheets/sheet1.xml": worksheet(),
        "xl/worksheets/_rels/sheet1.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}">'
            f"{relation(1, 'printerSettings', '../printerSettings/printerSettings1.bin')}"
            f'<Relationship Id="rId2" Type="{RELATIONS}/hyperlink" Target="mailto:erika@contoso.com" '
            'TargetMode="External"/></Relationships>'
        ),
        "xl/printerSettings/printerSettings1.bin": b"printer",
        "xl/theme/theme1.xml": f'<a:theme xmlns:a="{THEME}" name="Office"><a:themeElements/></a:theme>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": strings(),
        "docProps/custom.xml": LABEL,
    }
    parts |= changed
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", part_types(parts))
        for name, content in parts.items():
            archive.writestr(name, content)
    return path
