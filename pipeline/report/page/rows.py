"""The lines of a run as data within a page: each text once, packed, bounded in lines and in characters."""

import gzip
import io
import json
from array import array
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from pipeline.findings import Severity, shorten
from pipeline.model import SourceInfo, State
from pipeline.report.lines import Line
from pipeline.report.page.shown import MOST_CHARACTERS, route_name

MOST_LINES = 100_000
"""Lines that a page holds; a browser sorts and searches so many at once."""

CELL_CHARACTERS = 200

MOST_TEXT_CHARACTERS = 24_000_000
"""Characters of the different texts of a page, as JSON writes them; beyond, the lines end."""

MOST_CELL_CHARACTERS = 24_000_000
"""Characters of the different cells, as JSON writes them; beyond, lines come without their row's cells."""

NONE = -1
"""Stands where a line has no row number, no second value, no cells."""

SEVERITIES = tuple(Severity)
RANK_OF = {severity: rank for rank, severity in enumerate(SEVERITIES)}

JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=list)  # of an array

ENCODED_AT_ONCE = 5_000
"""Items of a list: the encoder keeps a text for each until it has all, 55 bytes for a number."""


class Limits(NamedTuple):
    """How much a page holds."""

    lines: int = MOST_LINES
    text_characters: int = MOST_TEXT_CHARACTERS
    cell_characters: int = MOST_CELL_CHARACTERS


LIMITS = Limits()


class PackedLines(NamedTuple):
    """The lines within a page."""

    data: str  # base64 of gzip of JSON
    lines: int
    has_more: bool  # there are lines that the page does not hold
    without_cells: int  # lines whose row's cells did not fit


@dataclass(slots=True)
class _Texts:
    """Different texts in the order of their first use."""

    number_of: dict[str, int] = field(default_factory=dict)
    characters: int = 0

    def number(self, text: str, most: int = MOST_CHARACTERS) -> int:
        number = self.number_of.get(text)
        return self._new_number(shorten(text, most)) if number is None else number

    def _new_number(self, shown: str) -> int:
        number = self.number_of.get(shown)
        if number is None:
            number = self.number_of[shown] = len(self.number_of)
            # A control character is six as JSON writes it.
            self.characters += len(JSON.encode(shown))
        return number


@dataclass(slots=True)
class _Rows:
    """Rows with their cells, each row once."""

    most_characters: int
    texts: _Texts = field(default_factory=_Texts)
    numbers_of: dict[int, dict[int | None, int]] = field(default_factory=dict)  # source -> row number -> number
    cells: list["array[int]"] = field(default_factory=list)

    def number(self, line: Line) -> int:
        """Return the number of the line's row, NONE where it has no cells or they do not fit any more."""
        numbers = self.numbers_of.setdefault(line.source_pk, {})
        number = numbers.get(line.row_number, NONE)
        if number != NONE or line.cells is None or self.texts.characters > self.most_characters:
            return number
        number = numbers[line.row_number] = len(self.cells)
        self.cells.append(array("i", (self.texts.number(cell, CELL_CHARACTERS) for cell in line.cells)))
        return number


COLUMNS = (
    *("source", "row", "state", "severity", "code", "column", "value", "became", "message", "hint", "route"),
    *("attempts", "status", "graph_code", "request_id", "client_request_id", "object_id", "cells"),
)


def pack_lines(
    lines: Iterable[Line], sources: Mapping[int, SourceInfo], *, is_dry_run: bool, limits: Limits = LIMITS
) -> PackedLines:
    """Return the first lines as data; no more of them are read than fit, and one to know whether there are more.

    The script of the page finds `columns`, each a list with a number for each line: of a text in `texts` (code to
    object_id), of a row in `cells`, of a source in `sources`, or the number itself (row, attempts, status).
    """
    texts, rows = _Texts(), _Rows(limits.cell_characters)
    places = {pk: place for place, pk in enumerate(sources)}
    numbers = [array("i") for _ in COLUMNS]
    waiting = iter(lines)
    without_cells = 0
    for line in islice(waiting, limits.lines):
        cells = rows.number(line)
        without_cells += cells == NONE and line.cells is not None
        for column, number in zip(numbers, _numbers(line, places, texts, is_dry_run=is_dry_run), strict=False):
            column.append(number)
        numbers[-1].append(cells)
        if texts.characters > limits.text_characters:
            break
    has_more = next(waiting, None) is not None
    columns = dict(zip(COLUMNS, numbers, strict=True))
    packed_lines = len(numbers[0])
    used = set(columns["source"])
    document = {
        "lines": packed_lines,
        "columns": columns,
        "texts": list(texts.number_of),
        "severities": SEVERITIES,
        "routes": {each: route_name(each) for each in dict.fromkeys(_texts_of(columns["route"], texts)) if each},
        "sources": [_source(each, is_used=place in used) for place, each in enumerate(sources.values())],
        "cell_texts": list(rows.texts.number_of),
        "cells": rows.cells,
    }
    return PackedLines(b64encode(_packed(document)).decode("ascii"), packed_lines, has_more, without_cells)


def _packed(document: Mapping[str, object]) -> bytes:
    """Return the document as gzip of JSON, made piece by piece: the whole text takes 50 MB for 100,000 lines."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as file:
        for part in _json_of(document):
            file.write(part.encode())
    return packed.getvalue()


def _json_of(content: object) -> Iterator[str]:
    """Yield the JSON of the content in parts."""
    if isinstance(content, Mapping):
        yield "{"
        for number, (name, each) in enumerate(content.items()):
            yield f"{',' if number else ''}{JSON.encode(name)}:"
            yield from _json_of(each)
        yield "}"
    elif isinstance(content, list | array):
        for start in range(0, len(content), ENCODED_AT_ONCE):
            yield ("," if start else "[") + JSON.encode(content[start : start + ENCODED_AT_ONCE])[1:-1]
        yield "]" if content else "[]"
    else:
        yield JSON.encode(content)


def _numbers(line: Line, places: Mapping[int, int], texts: _Texts, *, is_dry_run: bool) -> tuple[int, ...]:
    answer = line.answer
    return (
        places[line.source_pk],
        NONE if line.row_number is None else line.row_number,
        texts.number(_state_shown(line.state, is_dry_run=is_dry_run)),
        RANK_OF[line.severity],
        texts.number(line.code),
        texts.number(line.column),
        texts.number(line.value),
        NONE if line.became is None else texts.number(line.became),
        # The page puts the message of a change together again.
        texts.number(line.message if line.became is None else ""),
        texts.number(line.hint),
        texts.number(line.collection),
        line.attempts,
        NONE if answer.http_status is None else answer.http_status,
        texts.number(answer.graph_code),
        texts.number(answer.request_id),
        texts.number(answer.client_request_id),
        texts.number(answer.object_id),
    )


def _state_shown(state: State | None, *, is_dry_run: bool) -> str:
    if state in {State.PLANNED, State.STAGED}:
        return "valid" if is_dry_run else "unsent"
    return "unknown" if state is State.SENDING else state.value if state else "whole file"


def _texts_of(numbers: Iterable[int], texts: _Texts) -> Iterable[str]:
    listed = list(texts.number_of)
    return (listed[each] for each in dict.fromkeys(numbers))


def _source(source: SourceInfo, *, is_used: bool) -> dict[str, object]:
    # A finding names its column as the header spells it, shortened in the same way.
    return {"name": shorten(source.name), "header": [shorten(each) for each in source.header] if is_used else []}
