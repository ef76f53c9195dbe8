"""Rows that are not written yet, in front of the ones that are."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.core.rows import Rows
from triggers.processing.batch import Changes


class Overlay:
    """`Rows` with changes on top."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changes: Changes = {}

    def write(self, changes: Changes) -> None:
        """Put more changes on top; None deletes."""
        self._changes.update(changes)

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`."""
        return self._changes[key] if key in self._changes else self._rows.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`."""
        merged: Changes = dict(self._rows.scan(prefix))
        merged.update((key, row) for key, row in self._changes.items() if key.startswith(prefix))
        return iter(sorted((key, row) for key, row in merged.items() if row is not None))
