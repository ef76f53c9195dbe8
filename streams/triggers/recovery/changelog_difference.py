"""The differences between the rows of a changelog and those that a fold of the events has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter

Row = tuple[bytes, bytes]

_key = itemgetter(0)


def find_differences(folded: Iterable[Row], stored: Iterable[Row]) -> Iterator[tuple[bytes, bytes | None]]:
    """Yields what must be written so that the stored rows become the folded ones; None deletes a row.

    Both are in the order of their keys.
    """
    theirs = ((key, None, row) for key, row in stored)
    ours = ((key, row, None) for key, row in folded)
    for key, entries in groupby(merge(ours, theirs, key=_key), key=_key):
        pairs = list(entries)
        wanted = next((row for _, row, _ in pairs if row is not None), None)
        actual = next((row for *_, row in pairs if row is not None), None)
        if wanted != actual:
            yield key, wanted
