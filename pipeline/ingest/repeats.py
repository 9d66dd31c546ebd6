"""Which rows may have the same key as another one, among millions, in a few bytes a row; and these rows once more."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.chunks import unpacked
from pipeline.load import Origin, read_again
from pipeline.model import Row

PARTS = 4
"""The keys are compared in so many parts, which bounds the memory beside the keys themselves."""

SLICE = 100_000
SIEVE_BITS = 22
SIEVE = np.uint64((1 << SIEVE_BITS) - 1)
"""By its last bits, almost every number is known not to come again."""


class Seen(NamedTuple):
    """A chunk of which rows were only counted."""

    table: int  # among those that were read
    rows_before: int  # of all tables
    row_numbers: Sequence[int]
    staged: tuple[int, ...]  # the places of the rows that were not only counted
    origin: Origin | None  # None: its rows lie in the spool
    start: int  # there, in bytes
    size: int

    def rows(self, row_numbers: Sequence[int], spool: IO[bytes]) -> list[Row]:
        """Return the rows with these numbers once more. Raises SourceError."""
        if self.origin:
            return read_again(self.origin, row_numbers)
        spool.seek(self.start)
        return unpacked(spool.read(self.size), row_numbers)


class Again(NamedTuple):
    """A row that was only counted, read once more."""

    table: int
    row: Row
    first_bits: int  # of the key that it had
    place: int  # among the rows of all tables


def rows_again(keys: "array[int]", chunks: Sequence[Seen], spool: IO[bytes]) -> Iterator[Again]:
    """Yield the counted rows whose key may come again, in the order of reading. `keys` has one number for each row.

    Raises SourceError when they cannot be read once more.
    """
    starts = [each.rows_before for each in chunks]
    repeats = map(int, places_of_repeats(keys))
    for at, found in groupby(repeats, key=lambda place: bisect_right(starts, place) - 1):
        seen = chunks[at]
        staged = {seen.rows_before + place for place in seen.staged}
        places = [place for place in found if place not in staged]
        rows = seen.rows([seen.row_numbers[place - seen.rows_before] for place in places], spool) if places else []
        for place, row in zip(places, rows, strict=True):
            yield Again(seen.table, row, keys[place], place)


def places_of_repeats(keys: "array[int]") -> NDArray[np.intp]:
    """Return the places of the numbers that come again, ascending; a 0 stands for no key.

    Rows with different keys come out too where the first 64 bits are the same. Memory: about three bytes a row beside
    the keys.
    """
    if not keys:
        return np.empty(0, dtype=np.intp)
    numbers = np.frombuffer(keys, dtype=np.uint64)
    every = np.concatenate([_repeated(numbers, part) for part in range(PARTS)])  # in order, as the parts are
    every = every[every != 0]
    may_repeat = np.zeros(1 << SIEVE_BITS, dtype=np.bool_)
    may_repeat[every & SIEVE] = True
    found = (_places_in(numbers[start : start + SLICE], every, may_repeat) for start in range(0, len(numbers), SLICE))
    return np.concatenate([start * SLICE + places for start, places in enumerate(found)])


def _repeated(numbers: NDArray[np.uint64], part: int) -> NDArray[np.uint64]:
    """Return the numbers of the part that come more than once, each of them once, in order."""
    width = 2**64 // PARTS
    ordered = numbers[(numbers >= np.uint64(part * width)) & (numbers <= np.uint64((part + 1) * width - 1))]
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _places_in(
    numbers: NDArray[np.uint64], every: NDArray[np.uint64], may_repeat: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the places of the numbers that are among those of `every`; only few are looked for there."""
    places = np.flatnonzero(may_repeat[numbers & SIEVE])
    looked_for = numbers[places]
    after = np.searchsorted(every, looked_for)
    is_among = after < every.size
    is_among[is_among] = every[after[is_among]] == looked_for[is_among]
    return places[is_among]
