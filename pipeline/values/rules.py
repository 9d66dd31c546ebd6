"""Which rules concern which property, and their application to a chunk of rows.

A chunk is read column by column, and each distinct text of a column once: inventories repeat their words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from pipeline.certificates import NotACertificateError, read_certificate_text
from pipeline.declared import SerialForm
from pipeline.editions import Edition, EnumType, PrimitiveType, Property, Shape
from pipeline.findings import Code, Finding, Severity, change, finding
from pipeline.identity import fold_word
from pipeline.model import CERTIFICATE_COLUMN, ColumnMap, Values
from pipeline.values.cells import find_cell_problem
from pipeline.values.certificate import from_certificate
from pipeline.values.dates import DateRules, read_date_time
from pipeline.values.identifiers import read_serial_number, read_thumbprint
from pipeline.values.marks import find_damage, take_out_marks, trim
from pipeline.values.numbers import read_key_length
from pipeline.values.steps import Reading, Step
from pipeline.values.words import (
    read_enhanced_key_usage,
    read_key_usage,
    read_member,
    read_members,
    read_platform,
)

Reader = Callable[[str], Reading]

ENUM_READERS: Mapping[str, Callable[..., Reading]] = {
    "devicePlatform": read_platform,
    "certificateKeyUsage": read_key_usage,
}
"""Enumerations that other words stand for, too."""

ENHANCED_KEY_USAGES = frozenset({"enhancedKeyUsage", "certificateEnhancedKeyUsage"})
"""The property's name in the two editions."""


@dataclass(frozen=True, slots=True)
class ValueRules:
    """For each place of `Values.texts` how it is read, what fills an empty cell, and which property it is."""

    properties: tuple[Property | None, ...]  # None for columns that are no property of the object
    readers: tuple[Reader, ...]
    defaults: tuple[str, ...]
    serial: SerialForm | None
    replaced_words: tuple[frozenset[str], ...]  # folded: whole cells that config.yaml or the preset replaces


class Prepared(NamedTuple):
    """A row's values as they are validated, and what was found and changed on the way."""

    values: Values
    findings: tuple[Finding, ...]

    @property
    def refused_columns(self) -> frozenset[str]:
        """The columns that have an error already, so that validation need not say it again."""
        return frozenset(each.column for each in self.findings if each.severity is Severity.ERROR)


def value_rules(
    edition: Edition,
    names: Sequence[str],
    *,
    replacements: Mapping[str, Mapping[str, str]],
    defaults: Mapping[str, str],
    dates: DateRules,
    serial: SerialForm | None,
    repairs: bool,
) -> ValueRules:
    """Return the rules in the order of `names`, the column map's names.

    A replacement is for the whole cell; blanks around it and letter case make no difference. Without `repairs` only
    what is declared is done: replacements, defaults, and the time zone within `dates`.
    """
    property_of = {each.name: each for each in edition.properties}
    properties = tuple(property_of.get(name) for name in names)
    readers: list[Reader] = []
    filled: list[str] = []
    replaced_words: list[frozenset[str]] = []
    for name, prop in zip(names, properties, strict=True):
        spelled = {fold_word(was): _spelled(now, prop) for was, now in replacements.get(name, {}).items()}
        is_date = prop is not None and prop.type is PrimitiveType.DATETIMEOFFSET
        rules: tuple[Reader, ...] = ()
        if is_date and not repairs:
            rules = (find_damage, partial(read_date_time, rules=replace(dates, repairs=False)))
        elif name != CERTIFICATE_COLUMN:
            rules = (find_damage, take_out_marks, *_rules_of(prop, dates, serial))
        keeps_text = not repairs and not is_date
        replaced_words.append(frozenset(spelled))
        readers.append(partial(_read, replacements=spelled, rules=rules, keeps_text=keeps_text))
        # A default is read like a cell, but for the replacements.
        default = _spelled(defaults.get(name, ""), prop)
        filled.append(_read(default, replacements={}, rules=rules, keeps_text=keeps_text).text if default else "")
    return ValueRules(properties, tuple(readers), tuple(filled), serial, tuple(replaced_words))


def apply_rules(rows: Sequence[Values], rules: ValueRules) -> list[Prepared]:
    """Return the rows of one table with their values changed by the rules, in their order."""
    changing = [_Changing(list(row.texts), [], set()) for row in rows]
    if rows:
        columns = rows[0].columns
        for place in range(len(rules.readers)):
            _change_column(changing, place, columns, rules)
        if columns.indexes[columns.names.index(CERTIFICATE_COLUMN)] is not None:
            for now in changing:
                _take_from_certificate(now, columns)
        for place, default in enumerate(rules.defaults):
            if default:
                _fill_column(changing, place, columns, default)
    prepared = []
    for row, now in zip(rows, changing, strict=True):
        findings = _with_cell_findings(now, row, rules) if row.not_text else now.findings
        prepared.append(Prepared(Values(row.columns, tuple(now.texts), row.not_text), tuple(findings)))
    return prepared


class ReadText(NamedTuple):
    """One text of one column after its rules, and what was found and changed on the way."""

    text: str
    findings: tuple[Finding, ...]


def read_text(text: str, place: int, header: str, rules: ValueRules) -> ReadText:
    """Return what `apply_rules` makes of this text alone; an empty one stays empty, whatever its default."""
    if not text.strip():
        return ReadText(text, ())
    reading = rules.readers[place](text)
    return ReadText(reading.text, tuple(_findings(reading, header)))


@dataclass(slots=True)
class _Changing:
    texts: list[str]
    findings: list[Finding]
    replaced: set[int]  # places whose value config.yaml declares


def _change_column(rows: Sequence[_Changing], place: int, columns: ColumnMap, rules: ValueRules) -> None:
    read, header = rules.readers[place], columns.headers[place]
    readings = {text: read(text) for text in {row.texts[place] for row in rows} if text.strip()}
    told = {text: reading for text, reading in readings.items() if reading.steps or reading.problems}
    found_of = {text: _findings(reading, header) for text, reading in told.items()}
    for row in rows if told else ():
        reading = told.get(row.texts[place])
        if reading is not None:
            row.findings.extend(found_of[row.texts[place]])
            row.texts[place] = reading.text
            if reading.steps and reading.steps[0].code is Code.VALUE_MAP:
                row.replaced.add(place)


def _take_from_certificate(row: _Changing, columns: ColumnMap) -> None:
    """Fill the row's empty texts from the certificate in it, and compare the others."""
    place = columns.names.index(CERTIFICATE_COLUMN)
    text = row.texts[place]
    if not text.strip():
        return
    header = columns.headers[place]
    try:
        facts = read_certificate_text(text)
    except NotACertificateError as problem:
        row.findings.append(finding(Code.NOT_A_CERTIFICATE, str(problem), column=header))
        return
    for at, reading in enumerate(from_certificate(columns.names, row.texts, facts)):
        row.texts[at] = reading.text
        row.findings.extend(_findings(reading, columns.headers[at]))


def _fill_column(rows: Sequence[_Changing], place: int, columns: ColumnMap, default: str) -> None:
    for row in rows:
        if not row.texts[place].strip():
            row.texts[place] = default
            if columns.indexes[place] is not None:  # without a column it is told once, with the file
                row.findings.append(change(Code.DEFAULT_VALUE, "", default, column=columns.headers[place]))


def _with_cell_findings(now: _Changing, row: Values, rules: ValueRules) -> list[Finding]:
    """Return what was found in the row; of a cell that lost what was meant nothing else is said."""
    of_cells = _cell_findings(row, rules, now.replaced)
    refused = {each.column for each in of_cells if each.severity is Severity.ERROR}
    return [each for each in now.findings if each.column not in refused] + of_cells


def _cell_findings(row: Values, rules: ValueRules, replaced: set[int]) -> list[Finding]:
    """Return a finding for each cell that a workbook holds in a way that can have lost what was meant.

    `replaced` are the places whose value config.yaml declares, so that nothing of the cell is sent.
    """
    findings: list[Finding] = []
    for place, cell_type in row.not_text:
        if place in replaced:
            continue
        problem = find_cell_problem(row.texts[place], cell_type, rules.properties[place], rules.serial)
        if problem is not None:
            header = row.columns.headers[place]
            found = finding(problem.code, problem.message, column=header, value=row.texts[place], hint=problem.hint)
            findings.append(found)
    return findings


def _rules_of(prop: Property | None, dates: DateRules, serial: SerialForm | None) -> tuple[Reader, ...]:
    """Return the rules for the property's type and shape, in their order; each reads what the one before it left."""
    if prop is None:
        return (trim,)
    if isinstance(prop.type, EnumType):
        read = ENUM_READERS.get(prop.name, read_members if prop.type.is_flags else read_member)
        return (partial(read, enum_type=prop.type),)
    if prop.type is PrimitiveType.DATETIMEOFFSET:
        return (partial(read_date_time, rules=dates),)
    by_shape: dict[Shape, tuple[Reader, ...]] = {
        Shape.KEY_LENGTH: (read_key_length, trim),
        Shape.THUMBPRINT: (read_thumbprint,),
        Shape.SERIAL_NUMBER: (partial(read_serial_number, declared=serial),),
        Shape.URL: (trim,),
    }
    if prop.name in ENHANCED_KEY_USAGES:
        return (read_enhanced_key_usage,)
    return by_shape.get(prop.shape, (trim,) if prop.type is PrimitiveType.INT32 else ())


def _read(text: str, *, replacements: Mapping[str, str], rules: Sequence[Reader], keeps_text: bool) -> Reading:
    """Return the text after the declared replacement and the rules; with `keeps_text` only problems are taken over."""
    replacement = replacements.get(fold_word(text))
    reading = Reading(text)
    if replacement is not None:
        if replacement != text:
            reading = Reading(replacement, (Step(Code.VALUE_MAP, text, replacement),))
        if not replacement:
            return reading
    declared = reading
    for rule in rules:
        step = rule(reading.text)
        reading = Reading(step.text, (*reading.steps, *step.steps), (*reading.problems, *step.problems))
        if step.problems:
            break
    return declared._replace(problems=reading.problems) if keeps_text else reading


def _findings(reading: Reading, header: str) -> list[Finding]:
    findings = [change(each.code, each.was, each.text, column=header) for each in reading.steps]
    before = reading.steps[0].was if reading.steps else reading.text
    findings += [
        finding(each.code, each.message, column=header, value=before, hint=each.hint) for each in reading.problems
    ]
    return findings


def _spelled(text: str, prop: Property | None) -> str:
    """Return a declared value in the API's spelling: config.yaml may write a member in any letter case."""
    if prop is None or not isinstance(prop.type, EnumType):
        return text
    return (read_members if prop.type.is_flags else read_member)(text, prop.type).text
