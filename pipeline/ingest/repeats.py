"""Which rows may have the same key as another one, among millions, in a few bytes a row."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PARTS = 4
"""The keys are compared in so many parts, which bounds the memory beside the keys themselves."""


def places_of_repeats(keys: Sequence["array[int]"]) -> dict[int, list[int]]:
    """Return for each chunk the places of its rows whose key comes again anywhere; chunks without any are left out.

    `keys` has for each chunk one number per row, 0 where a row has none. Rows with different keys come out too where
    the first 64 bits are the same. Memory: about two bytes a row beside the keys.
    """
    chunks = [np.frombuffer(each, dtype=np.uint64) for each in keys if each]
    repeated = [_repeated([each[each >> np.uint64(62) == part] for each in chunks]) for part in range(PARTS)]
    every = np.concatenate([*repeated, np.empty(0, dtype=np.uint64)])
    every = every[every != 0]
    if not every.size:
        return {}
    found = {
        at: np.flatnonzero(np.isin(np.frombuffer(each, dtype=np.uint64), every)).tolist()
        for at, each in enumerate(keys)
        if each
    }
    return {at: places for at, places in found.items() if places}


def _repeated(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the numbers that come more than once, each of them once."""
    ordered = np.concatenate([*parts, np.empty(0, dtype=np.uint64)])
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
