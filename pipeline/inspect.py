"""What a file holds and how its columns could be mapped: to look at and to paste, before anything is validated.

Reads the beginning of the file, and nothing else: no ledger, no network, no folder of a run.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline.columns import column_letter
from pipeline.config import Settings
from pipeline.declared import DateNumber, DateOrder, SerialForm
from pipeline.editions import EDITIONS, Edition, EnumType, PrimitiveType, Shape
from pipeline.findings import Code, Finding
from pipeline.identity import fold_header, without_marks
from pipeline.load import CERTIFICATE_FILE_HEADER, LoadOptions, Table, open_tables
from pipeline.model import CERTIFICATE_COLUMN
from pipeline.presets import PRESETS, Preset, known_headers, propose_preset
from pipeline.proposals import ColumnProposal, Match, count_known, propose_columns, propose_values
from pipeline.values.certificate import RULES as FROM_CERTIFICATE
from pipeline.values.dates import DateRules, read_date_time
from pipeline.values.identifiers import read_serial_number
from pipeline.values.words import read_key_usage, read_platform

ROWS_LOOKED_AT = 1_000
SAMPLES_SHOWN = 3
SAMPLES_COMPARED = 50
WORDS_SHOWN = 20
SAMPLE_CHARACTERS = 60

# Properties that are often the same for a whole file -> an example of what to write for it.
CONSTANTS = {
    "devicePlatform": "iOS",
    "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
    "certificateProfileDisplayName": "Corp SCEP",
    "certificateIssuer": "CN=Contoso Issuing CA",
    "certificateKeyLength": "2048",
    "certificateKeyUsage": "digitalSignature,keyEncipherment",
    "enhancedKeyUsage": "Client Authentication",
}


@dataclass(frozen=True, slots=True)
class InspectedColumn:
    """One column of the file."""

    letter: str  # as a spreadsheet names it
    header: str  # as the file spells it
    samples: tuple[str, ...]  # distinct cells from its beginning, each shortened, empty ones left out
    proposal: ColumnProposal


@dataclass(frozen=True, slots=True)
class WordsWithoutMember:
    """Words of a column that are no member of its enumeration as they stand."""

    name: str  # the property
    words: tuple[str, ...]
    members: tuple[str, ...]


class Undeclared(NamedTuple):
    """A key of config.yaml without which cells of the file are refused or doubtful."""

    key: str
    choices: str  # what may be written there, in words
    cell: str  # one of those that need it


@dataclass(frozen=True, slots=True)
class InspectedTable:
    """One text file, or one sheet of a workbook. All texts are the file's own, so whoever prints them escapes them."""

    file: Path
    sheet: str | None
    is_hidden: bool
    encoding: str  # "" for workbooks
    delimiter: str  # "" for workbooks
    header_row_number: int
    rows_estimate: int
    findings: tuple[Finding, ...]  # the loader's
    columns: tuple[InspectedColumn, ...]
    missing: tuple[str, ...]  # required properties that nothing supplies yet
    words: tuple[WordsWithoutMember, ...]
    undeclared: tuple[Undeclared, ...]
    preset: str | None  # the name of the preset that was chosen, or that the header fits; the columns count on it
    yaml_text: str  # lines for config.yaml; what is doubtful is a comment


def inspect_file(
    path: Path, settings: Settings, options: LoadOptions, preset: Preset | None = None
) -> tuple[InspectedTable, ...]:
    """Return what each table of the file holds, in its order. Reads the file; raises SourceError if it is no table.

    Without a `preset` each table is looked at with the one that its header fits, if there is one.
    """
    edition = EDITIONS[settings.edition]
    further = [header for headers in settings.columns.values() for header in headers]
    further += [header for each in PRESETS.values() for header in each.headers]

    def known(cells: Sequence[str]) -> int:
        return count_known(cells, edition, further)

    looking = replace(options, known_columns=known, chunk_rows=ROWS_LOOKED_AT)
    return tuple(_inspected(table, settings, edition, preset) for table in open_tables(path, looking))


def _inspected(table: Table, settings: Settings, edition: Edition, chosen: Preset | None) -> InspectedTable:
    is_certificates = table.header == CERTIFICATE_FILE_HEADER
    preset = chosen if chosen or is_certificates else propose_preset(table.header)
    cells_of = _cells_of(table, {each.casefold() for each in preset.empty_words} if preset else frozenset())
    known = known_headers(preset, edition, settings.columns, settings.templates)
    # The other columns of certificate files are there for templates and for readers.
    own = {fold_header(each) for each in table.header[1:]} if is_certificates else set()
    samples = [texts[:SAMPLES_COMPARED] for texts in cells_of]
    proposals = propose_columns(
        table.header, samples, edition, known.aliases, ignored=known.ignored | own, made=settings.templates
    )
    columns = tuple(
        InspectedColumn(column_letter(at), each.header, tuple(map(_cut, texts[:SAMPLES_SHOWN])), each)
        for at, (each, texts) in enumerate(zip(proposals, cells_of, strict=True))
    )
    missing = _missing(proposals, settings, edition)
    words = tuple(_words_without_member(proposals, cells_of, settings, edition))
    undeclared = tuple(_undeclared(proposals, samples, settings, edition, preset))
    return InspectedTable(
        file=table.source,
        sheet=table.sheet,
        is_hidden=any(each.code is Code.HIDDEN_SHEET for each in table.findings),
        encoding=table.encoding,
        delimiter=table.delimiter,
        header_row_number=table.header_row_number,
        rows_estimate=table.rows_estimate,
        findings=table.findings,
        columns=columns,
        missing=missing,
        words=words,
        undeclared=undeclared,
        preset=preset.name if preset else None,
        yaml_text=mapping_yaml(columns, missing, words, undeclared, preset),
    )


def _cells_of(table: Table, empty_words: Collection[str]) -> list[tuple[str, ...]]:
    """Return the distinct cells of each column among the first rows, in their order, empty ones left out."""
    chunk = next(table.chunks, None)
    rows = [row.cells for row in chunk.rows if not row.broken] if chunk else []
    return [
        tuple(cell for cell in dict.fromkeys(cells) if cell.strip() and cell.strip().casefold() not in empty_words)
        for cells in (zip(*rows, strict=True) if rows else [()] * len(table.header))
    ]


def _missing(proposals: Iterable[ColumnProposal], settings: Settings, edition: Edition) -> tuple[str, ...]:
    supplied = {each.name for each in proposals if each.is_applied} | {
        *settings.optional,
        *settings.defaults,
        *settings.templates,
    }
    if CERTIFICATE_COLUMN in supplied:
        supplied |= FROM_CERTIFICATE.keys()
    return tuple(each.name for each in edition.properties if each.name in edition.required - supplied)


def _words_without_member(
    proposals: Sequence[ColumnProposal], cells_of: Sequence[Sequence[str]], settings: Settings, edition: Edition
) -> Iterable[WordsWithoutMember]:
    enum_of = {each.name: each.type for each in edition.properties if isinstance(each.type, EnumType)}
    for proposal, cells in zip(proposals, cells_of, strict=True):
        enum_type = enum_of.get(proposal.name)
        if enum_type is None or not proposal.is_applied:
            continue
        mapped = {each.strip().casefold() for each in settings.values.get(proposal.name, {})}
        words = [
            each
            for each in propose_values(cells, enum_type)
            if each.casefold() not in mapped and not _is_understood(each, proposal.name, enum_type)
        ]
        if words:
            yield WordsWithoutMember(proposal.name, tuple(words[:WORDS_SHOWN]), enum_type.members)


def _is_understood(word: str, name: str, enum_type: EnumType) -> bool:
    """Return whether the rules for values make a member of the word by themselves."""
    if name == "devicePlatform":
        return bool(read_platform(word, enum_type).steps)
    return name == "certificateKeyUsage" and bool(read_key_usage(word, enum_type).steps)


def _undeclared(
    proposals: Sequence[ColumnProposal],
    samples: Sequence[Sequence[str]],
    settings: Settings,
    edition: Edition,
    preset: Preset | None,
) -> Iterable[Undeclared]:
    """Yield what config.yaml has to say of the dates and serial numbers among the samples."""
    property_of = {each.name: each for each in edition.properties}
    dates: list[str] = []
    serial_numbers: list[str] = []
    for proposal, cells in zip(proposals, samples, strict=True):
        prop = property_of.get(proposal.name) if proposal.is_applied else None
        if prop is not None and prop.type is PrimitiveType.DATETIMEOFFSET:
            dates += cells
        if prop is not None and prop.shape is Shape.SERIAL_NUMBER:
            serial_numbers += cells
    number = settings.date_number or (preset.date_number if preset else None)
    has_zone = settings.timezone or (preset and preset.timezone)
    rules = DateRules(settings.date_order, number, ZoneInfo("UTC"))
    if cell := _with_code(Code.AMBIGUOUS_DATE, dates, rules):
        fitting = [order for order in DateOrder if not _with_code(Code.NOT_A_DATE_TIME, dates, rules, order)]
        yield Undeclared("date_order", " or ".join(fitting or DateOrder), cell)
    if cell := _with_code(Code.DATE_NUMBER, dates, rules):
        yield Undeclared("date_number", " or ".join(DateNumber), cell)
    # The order makes no difference to whether there is an offset; with one the cell can be read at all.
    if not has_zone and (cell := _with_code(Code.TIME_ZONE, dates, rules, settings.date_order or DateOrder.DMY)):
        yield Undeclared("timezone", "the zone of whoever wrote the dates, such as Europe/Berlin or UTC", cell)
    declared = settings.serial or (preset.serial if preset else None)
    for cell in serial_numbers:
        if any(each.code is Code.AMBIGUOUS_SERIAL_NUMBER for each in read_serial_number(cell, declared).problems):
            yield Undeclared("serial", " or ".join(SerialForm), cell)
            return


def _with_code(code: Code, dates: Iterable[str], rules: DateRules, order: DateOrder | None = None) -> str:
    """Return the first of the dates of which the rules say this, or ""."""
    rules = replace(rules, order=order or rules.order)
    for text in dates:
        reading = read_date_time(without_marks(text).strip(), rules)
        codes = [problem.code for problem in reading.problems] + [step.code for step in reading.steps]
        if code in codes:
            return text
    return ""


def mapping_yaml(
    columns: Sequence[InspectedColumn],
    missing: Sequence[str],
    words: Sequence[WordsWithoutMember],
    undeclared: Sequence[Undeclared],
    preset: Preset | None,
) -> str:
    """Return the lines for config.yaml, which are YAML whatever the file's texts hold.

    Nothing doubtful is more than a comment: pasted as they are, the lines change nothing that is not certain.
    """
    lines: list[str] = []
    if preset:
        lines.append(f"# For use with --preset {preset.name} ({preset.title})")
        lines += [f"#   the preset sets {text}" for text in _set_by(preset)]
    lines += _column_lines(columns)
    lines += _value_lines(words)
    lines += [f"# {key}: ...  # {choices}; for cells such as {quoted(_cut(cell))}" for key, choices, cell in undeclared]
    lines += _missing_lines(missing)
    return "".join(f"{line}\n" for line in lines)


def _set_by(preset: Preset) -> Iterable[str]:
    if preset.timezone:
        yield f"timezone: {preset.timezone}"
    if preset.date_number:
        yield f"date_number: {preset.date_number}"
    if preset.serial:
        yield f"serial: {preset.serial}"


def _column_lines(columns: Sequence[InspectedColumn]) -> Iterable[str]:
    certain = [each for each in columns if each.proposal.match is Match.SYNONYM]
    doubtful = [each for each in columns if each.proposal.match is Match.DOUBTFUL]
    if not certain and not doubtful:
        return
    yield "columns:" if certain else "# columns:"
    for each in certain:
        yield f"  {each.proposal.name}: [{quoted(each.header)}]{_such_as(each, '  # such as ')}"
    for each in doubtful:
        score = f"{each.proposal.score} of 100 alike; " if each.proposal.score else ""
        yield f"  # {each.proposal.name}: [{quoted(each.header)}]"
        yield f"  #   doubtful: {score}{_one_line(each.proposal.reason)}{_such_as(each, '; such as ')}"


def _value_lines(words: Sequence[WordsWithoutMember]) -> Iterable[str]:
    if words:
        yield "# values:  # words of the file, and the members to choose from"
    for each in words:
        yield f"#   {each.name}:  # {', '.join(each.members)}"
        for word in each.words:
            yield f"#     {quoted(word)}: ..."


def _missing_lines(missing: Sequence[str]) -> Iterable[str]:
    if not missing:
        return
    yield "# Required, and no column holds it: one value for all rows, or a text made of columns in braces."
    yield "# templates:"
    for name in missing:
        yield f"#   {name}: {quoted(CONSTANTS[name]) if name in CONSTANTS else '...'}"
    if any(name != "devicePlatform" for name in missing):
        left_out = ", ".join(name for name in missing if name != "devicePlatform")
        yield f"# Or, what may be absent: optional: [{left_out}]"


def _such_as(column: InspectedColumn, before: str) -> str:
    return before + quoted(column.samples[0]) if column.samples else ""


def quoted(text: str) -> str:
    """Return the text as a double-quoted YAML scalar on one line (YAML 1.2, 5.7).

    What is not printable becomes an escape with two, four or eight hexadecimal digits.
    """
    return f'"{_one_line(text.replace(chr(92), chr(92) * 2)).replace(chr(34), chr(92) + chr(34))}"'


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str) -> str:
    return text if len(text) <= SAMPLE_CHARACTERS else f"{text[:SAMPLE_CHARACTERS]}..."
