"""Rows that are not written yet, in front of the ones that are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from operator import itemgetter

from triggers.core.state.rows import Changes, Rows

_key = itemgetter(0)


class Overlay:
    """`Rows` with changes on top."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changes: Changes = {}

    def write(self, changes: Changes) -> None:
        """Put more changes on top; None deletes."""
        self._changes.update(changes)

    def replace_changes(self, changes: Changes) -> None:
        """Have these changes on top, and no others; they are not copied."""
        self._changes = changes

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`."""
        changes = self._changes
        return changes[key] if key in changes else self._rows.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`."""
        changes = self._changes
        changed = sorted([(key, row) for key, row in changes.items() if key.startswith(prefix)], key=_key)
        written = (found for found in self._rows.scan(prefix) if found[0] not in changes)
        return ((key, row) for key, row in merge(written, changed, key=_key) if row is not None)


class Overlays:
    """Every partition's rows as the next batch must see them: the batch before may still be on its way to the disk.

    There is never more than one such batch. Sessions between batches hold on to their partition's overlay.
    """

    def __init__(self, rows_of: Callable[[int], Rows]) -> None:
        self._rows_of = rows_of
        self._overlays: dict[int, Overlay] = {}

    def for_partition(self, partition: int) -> Overlay:
        """The partition's."""
        overlay = self._overlays.get(partition)
        if overlay is None:
            overlay = self._overlays[partition] = Overlay(self._rows_of(partition))
        return overlay

    def replace_changes(self, rows: Mapping[int, Changes]) -> None:
        """A batch is decided; what the one before it changed is written."""
        for partition, overlay in self._overlays.items():
            overlay.replace_changes(rows.get(partition, {}))

    def forget(self, partitions: Iterable[int] | None = None) -> None:
        """Drop these partitions' (None: all), and what is not written with them."""
        for partition in list(self._overlays) if partitions is None else partitions:
            self._overlays.pop(partition, None)
