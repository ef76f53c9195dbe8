"""Rows that are decided but not written yet, over the rows on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from operator import itemgetter

from triggers.core.state.rows import Changes, Rows

_key = itemgetter(0)


class Overlay:
    """`Rows` with changes over them. A changed row hides the one below."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changes: Changes = {}

    def write(self, changes: Changes) -> None:
        """Adds changes; a row that is None is deleted."""
        self._changes.update(changes)

    def replace_changes(self, changes: Changes) -> None:
        """Replaces all changes by these. They are not copied."""
        self._changes = changes

    def get(self, key: bytes) -> bytes | None:
        changes = self._changes
        return changes[key] if key in changes else self._rows.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        changes = self._changes
        ours = [(key, row) for key, row in changes.items() if key.startswith(prefix) and key >= start]
        changed = sorted(ours, key=_key)
        written = (item for item in self._rows.scan(prefix, start) if item[0] not in changes)
        return ((key, row) for key, row in merge(written, changed, key=_key) if row is not None)


class Overlays:
    """The rows of each partition as the next batch must see them.

    They include the changes of at most one decided batch that is not written to disk yet. Cached sessions refer to the
    overlay of their partition.
    """

    def __init__(self, rows_of: Callable[[int], Rows]) -> None:
        self._rows_of = rows_of
        self._overlays: dict[int, Overlay] = {}

    def for_partition(self, partition: int) -> Overlay:
        """Returns the overlay of a partition; creates it on first use."""
        overlay = self._overlays.get(partition)
        if overlay is None:
            overlay = self._overlays[partition] = Overlay(self._rows_of(partition))
        return overlay

    def replace_changes(self, rows: Mapping[int, Changes]) -> None:
        """Replaces the changes by those of a decided batch. The changes of the batch before it must be on disk."""
        for partition, overlay in self._overlays.items():
            overlay.replace_changes(rows.get(partition, {}))

    def forget(self, partitions: Iterable[int] | None = None) -> None:
        """Drops the overlays of these partitions, or all if None, with the changes that are not written."""
        for partition in list(self._overlays) if partitions is None else partitions:
            self._overlays.pop(partition, None)
