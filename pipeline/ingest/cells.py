"""What one text of one column becomes, by itself: read by the value rules, filled, checked. Each distinct text once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.editions import PrimitiveType, Property
from pipeline.findings import Code, Finding, change, shorten
from pipeline.ingest.plain import Plain, places_not_plain, plain_of
from pipeline.ingest.rules import Rules
from pipeline.model import ColumnMap
from pipeline.returned import masked
from pipeline.validate import check_value
from pipeline.values import read_text

REMEMBERED = 20_000
"""So many texts of a column are remembered at most."""

DOUBTED_REMEMBERED = 2_000
"""So many where only what is not plain is read: faults seldom repeat, and each is kept with its findings."""


class Cell(NamedTuple):
    """What a text becomes, in the order in which a row tells it."""

    text: str  # after the value rules and the default
    value: str | int | None  # that is sent; None where there is none, or where `errors` says why not
    told: tuple[Finding, ...] = ()  # by the value rules
    filled: tuple[Finding, ...] = ()  # by the default
    masked: tuple[Finding, ...] = ()
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether there is something to tell of it."""
        return bool(self.told or self.filled or self.masked or self.errors or self.warnings)


@dataclass(frozen=True, slots=True)
class Place:
    """One name of the column map: a property, or a column that chooses the route."""

    at: int  # among the names
    name: str
    header: str
    index: int | None  # of the cell; None without a column
    prop: Property | None
    plain: Plain | None  # None: each distinct text is read once
    replaced_words: frozenset[str]
    cells: dict[str, Cell | None] = field(default_factory=dict)  # of texts that were read; None: plain


def places_of(columns: ColumnMap, rules: Rules) -> tuple[Place, ...]:
    """Return a place for each name of the map. None of the columns is a composite."""
    properties = zip(rules.values.properties, rules.values.defaults, strict=True)
    named = zip(columns.names, columns.headers, columns.indexes, strict=True)
    return tuple(
        Place(
            at,
            name,
            header,
            index,
            prop,
            plain_of(prop, may_be_empty=not default and name not in rules.validator.required),
            rules.values.replaced_words[at],
        )
        for at, ((name, header, index), (prop, default)) in enumerate(zip(named, properties, strict=True))
    )


def cell_of(given: str, place: Place, rules: Rules) -> Cell:
    """Return what the text becomes."""
    text, told = read_text(given, place.at, place.header, rules.values)
    filled: tuple[Finding, ...] = ()
    default = rules.values.defaults[place.at]
    if default and not text.strip():
        text = default
        if place.index is not None:  # without a column it is told once, with the file
            filled = (change(Code.DEFAULT_VALUE, "", default, column=place.header),)
    of_mask = masked(given, place.header)
    if place.prop is None:
        return Cell(text, None, told, filled, of_mask)
    checked = check_value(text, place.name, place.header, rules.validator)
    errors, warnings = _as_given(checked.errors, given), _as_given(checked.warnings, given)
    return Cell(text, checked.value, told, filled, of_mask, errors, warnings)


def _as_given(findings: Sequence[Finding], given: str) -> tuple[Finding, ...]:
    """Return the findings with the value as the file has it."""
    return tuple(each._replace(value=shorten(given)) if each.value else each for each in findings)


def notable_cells(texts: Sequence[str], place: Place, rules: Rules) -> Mapping[int, Cell]:
    """Return by its place in the column each cell that is more than its text."""
    if place.plain is None:
        return _by_distinct_text(range(len(texts)), texts, place, rules)
    doubted = places_not_plain(texts, place.plain)
    if place.replaced_words:
        folded = [text.casefold() for text in texts]
        if not place.replaced_words.isdisjoint(folded):
            replaced = (at for at, word in enumerate(folded) if word in place.replaced_words)
            doubted = sorted({*doubted, *replaced})
    return _by_distinct_text(doubted, texts, place, rules) if doubted else {}


def _by_distinct_text(places: Sequence[int], texts: Sequence[str], place: Place, rules: Rules) -> Mapping[int, Cell]:
    known = place.cells
    distinct = set(texts) if len(places) == len(texts) else {texts[at] for at in places}
    if len(known) + len(distinct) > (REMEMBERED if place.plain is None else DOUBTED_REMEMBERED):
        known.clear()
    for text in distinct - known.keys():
        read = cell_of(text, place, rules)
        known[text] = read if read.is_told or read.text != text else None
    notable = {text: cell for text in distinct if (cell := known[text]) is not None}
    return {at: notable[texts[at]] for at in places if texts[at] in notable} if notable else {}


def value_of(text: str, prop: Property) -> str | int | None:
    """Return what is sent for a plain text; None for a blank one."""
    if not text.strip():
        return None
    return int(text) if prop.type is PrimitiveType.INT32 else text
