"""What the tables of a file hold: how it was read, what its columns probably are, and what is not said yet."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline.config import Settings
from pipeline.declared import DateNumber, DateOrder, SerialForm
from pipeline.editions import EDITIONS, Edition, EnumType, PrimitiveType, Shape
from pipeline.findings import Code, Finding
from pipeline.identity import fold_header, without_marks
from pipeline.load import CERTIFICATE_FILE_HEADER, LoadOptions, Table, open_tables
from pipeline.model import CERTIFICATE_COLUMN, EXTRA_COLUMNS, column_letter
from pipeline.presets import PRESETS, Preset, declarations, known_headers, propose_preset
from pipeline.proposals import (
    ColumnProposal,
    count_known,
    is_common_word,
    looks_like_dates,
    propose_columns,
    propose_values,
)
from pipeline.returned import is_causes_header, without_causes
from pipeline.values.certificate import RULES as FROM_CERTIFICATE
from pipeline.values.dates import DateRules, read_date_time
from pipeline.values.identifiers import read_serial_number
from pipeline.values.words import read_key_usage, read_platform

ROWS_LOOKED_AT = 1_000
SAMPLES_SHOWN = 3
SAMPLES_COMPARED = 50
WORDS_SHOWN = 20
SAMPLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class InspectedColumn:
    """One column of the file."""

    letter: str  # as a spreadsheet names it
    header: str  # as the file spells it
    samples: tuple[str, ...]  # distinct cells from its beginning, each shortened, empty ones left out
    proposal: ColumnProposal
    is_declared: bool = False  # understood as it stands: by its name, by config.yaml or by the chosen preset


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
    header: str = ""  # of its column, where that is doubtful or unknown, so that it counts only once it is mapped


class Declared(NamedTuple):
    """A key of config.yaml that a proposed preset says, and config.yaml does not yet."""

    key: str
    value: str


class PresetUse(NamedTuple):
    """What presets have to do with a table."""

    used: Preset | None = None  # the columns count on it
    is_chosen: bool = False  # by the caller; else it is proposed, as the header fits it
    unfit: Preset | None = None  # chosen by the caller, but none of its headers is in the table
    empty_words: tuple[str, ...] = ()  # cells of mapped columns that mean an empty one with a proposed preset only


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
    preset: PresetUse
    declared: tuple[Declared, ...]  # what the proposed preset says beside columns

    @property
    def is_certificates(self) -> bool:
        """True for a certificate file, whose columns are always the same."""
        return tuple(each.header for each in self.columns) == CERTIFICATE_FILE_HEADER

    @property
    def has_known_columns(self) -> bool:
        """False where an import would leave the table out."""
        return any(each.proposal.is_applied for each in self.columns)


def inspect_file(
    path: Path,
    settings: Settings,
    options: LoadOptions,
    preset: Preset | None = None,
    *,
    this_year: int | None = None,
) -> tuple[InspectedTable, ...]:
    """Return what each table of the file holds, in its order. Reads the file; raises SourceError if it is no table.

    Without a `preset` that has a header in the table, the table is looked at with the one that its header fits, if
    there is one. `this_year` tells dates in the future; None is the current one, in UTC.
    """
    year = this_year or datetime.now(UTC).year
    edition = EDITIONS[settings.edition]
    further = [header for headers in settings.columns.values() for header in headers]
    further += [header for each in PRESETS.values() for header in each.headers]

    def known(cells: Sequence[str]) -> int:
        return len(cells) if is_causes_header(cells) else count_known(cells, edition, further)

    looking = replace(options, known_columns=known, chunk_rows=ROWS_LOOKED_AT)
    tables = without_causes(open_tables(path, looking))
    return tuple(_inspected(table, settings, edition, preset, year) for table in tables)


def _inspected(
    table: Table, settings: Settings, edition: Edition, chosen: Preset | None, this_year: int
) -> InspectedTable:
    is_certificates = table.header == CERTIFICATE_FILE_HEADER
    preset = chosen if chosen and _has_header(table, chosen) else None
    is_chosen = preset is not None
    if preset is None and not is_certificates:
        preset = propose_preset(table.header, is_common_word)
    empty_words = {each.casefold() for each in preset.empty_words} if preset else frozenset[str]()
    distinct = _cells_of(table)
    cells_of = [tuple(each for each in cells if each.strip().casefold() not in empty_words) for cells in distinct]
    known = known_headers(preset, edition, settings.columns, settings.templates)
    # The other columns of certificate files are there for templates and for readers.
    own = {fold_header(each) for each in table.header[1:]} if is_certificates else set()
    ignored = known.ignored | own | {fold_header(each) for each in settings.ignored}
    samples = [texts[:SAMPLES_COMPARED] for texts in cells_of]
    proposals = propose_columns(
        table.header,
        samples,
        edition,
        known.aliases,
        ignored=ignored,
        made=settings.templates,
        this_year=this_year,
    )
    if preset and not is_chosen:
        # With the lines that name its columns in config.yaml a proposed preset is no longer needed.
        known = known_headers(None, edition, settings.columns)
    names = {fold_header(each) for each in (*(prop.name for prop in edition.properties), *EXTRA_COLUMNS)}
    names |= {fold_header(each) for headers in known.aliases.values() for each in headers}
    columns = tuple(
        InspectedColumn(
            column_letter(at),
            each.header,
            tuple(map(cut, texts[:SAMPLES_SHOWN])),
            each,
            fold_header(each.header) in names,
        )
        for at, (each, texts) in enumerate(zip(proposals, cells_of, strict=True))
    )
    emptied = [
        cell
        for column, cells in zip(columns, distinct, strict=True)
        for cell in cells
        if column.proposal.is_applied and not column.is_declared and cell.strip().casefold() in empty_words
    ]
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
        missing=_missing(proposals, settings, edition),
        words=tuple(_words_without_member(proposals, cells_of, settings, edition)),
        undeclared=tuple(_undeclared(proposals, cells_of, settings, edition, preset=preset, ignored=ignored)),
        preset=PresetUse(
            preset, is_chosen, None if is_chosen else chosen, tuple(dict.fromkeys(each.strip() for each in emptied))
        ),
        declared=tuple(_declared(preset, settings)) if preset and not is_chosen else (),
    )


def _has_header(table: Table, preset: Preset) -> bool:
    return not {fold_header(each) for each in preset.headers}.isdisjoint(map(fold_header, table.header))


def _declared(preset: Preset, settings: Settings) -> Iterable[Declared]:
    if preset.timezone and not settings.timezone:
        yield Declared("timezone", preset.timezone)
    if preset.date_number and not settings.date_number:
        yield Declared("date_number", preset.date_number)
    if preset.serial and not settings.serial:
        yield Declared("serial", preset.serial)


def _cells_of(table: Table) -> list[tuple[str, ...]]:
    """Return the distinct cells of each column among the first rows, in their order, empty ones left out."""
    chunk = next(table.chunks, None)
    rows = [row.cells for row in chunk.rows if not row.broken] if chunk else []
    return [
        tuple(cell for cell in dict.fromkeys(cells) if cell.strip())
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
    *,
    preset: Preset | None,
    ignored: Collection[str],
) -> Iterable[Undeclared]:
    """Yield what config.yaml has to say of the dates and serial numbers among the samples.

    Doubtful columns, and unknown ones of nothing but dates, count too: once mapped they would need the same.
    """
    property_of = {each.name: each for each in edition.properties}
    certain: list[tuple[str, ColumnProposal]] = []
    doubtful: list[tuple[str, ColumnProposal]] = []
    serial_numbers: list[tuple[str, ColumnProposal]] = []
    for proposal, cells in zip(proposals, samples, strict=True):
        prop = property_of.get(proposal.name)
        pairs = [(cell, proposal) for cell in cells]
        is_unknown = prop is None and not proposal.reason and fold_header(proposal.header) not in ignored
        if prop is not None and prop.shape is Shape.SERIAL_NUMBER:
            serial_numbers += pairs
        elif prop is not None and prop.type is PrimitiveType.DATETIMEOFFSET and proposal.is_applied:
            certain += pairs
        elif (is_unknown or (prop is not None and not proposal.is_applied)) and looks_like_dates(cells):
            doubtful += pairs
    dates = certain + doubtful
    declared = declarations(
        preset, timezone=settings.timezone, date_number=settings.date_number, serial=settings.serial
    )
    rules = DateRules(settings.date_order, declared.date_number, ZoneInfo("UTC"))
    if found := _with_code(Code.AMBIGUOUS_DATE, dates, rules):
        # One order holds for the whole file, so what is certain has the first word on it.
        about = certain if found[1].is_applied else dates
        unread = (Code.DATE_ORDER_CONTRADICTED, Code.AMBIGUOUS_DATE)
        fitting = [each for each in DateOrder if not any(_with_code(code, about, rules, each) for code in unread)]
        yield _undeclared_key("date_order", " or ".join(fitting or DateOrder), *found)
    if found := _with_code(Code.DATE_NUMBER, dates, rules):
        yield _undeclared_key("date_number", " or ".join(DateNumber), *found)
    # The order makes no difference to whether there is an offset; with the right one the cell can be read at all.
    orders = (settings.date_order,) if settings.date_order else tuple(DateOrder)
    zoneless = (_with_code(Code.TIME_ZONE, dates, rules, each) for each in orders if not declared.timezone)
    if found := next(filter(None, zoneless), None):
        choices = "the zone of whoever wrote the dates, such as Europe/Berlin or UTC"
        yield _undeclared_key("timezone", choices, *found)
    serial_numbers.sort(key=lambda pair: not pair[1].is_applied)
    for cell, proposal in serial_numbers:
        if any(
            each.code is Code.AMBIGUOUS_SERIAL_NUMBER for each in read_serial_number(cell, declared.serial).problems
        ):
            yield _undeclared_key("serial", " or ".join(SerialForm), cell, proposal)
            return


def _undeclared_key(key: str, choices: str, cell: str, proposal: ColumnProposal) -> Undeclared:
    return Undeclared(key, choices, cell, "" if proposal.is_applied else proposal.header)


def _with_code(
    code: Code, dates: Iterable[tuple[str, ColumnProposal]], rules: DateRules, order: DateOrder | None = None
) -> tuple[str, ColumnProposal] | None:
    """Return the first of the dates of which the rules say this."""
    rules = replace(rules, order=order or rules.order)
    for text, proposal in dates:
        reading = read_date_time(without_marks(text).strip(), rules)
        codes = [problem.code for problem in reading.problems] + [step.code for step in reading.steps]
        if code in codes:
            return text, proposal
    return None


def cut(text: str) -> str:
    """Return the text, shortened to what is shown of a cell."""
    return text if len(text) <= SAMPLE_CHARACTERS else f"{text[:SAMPLE_CHARACTERS]}..."
