"""Rows of one session, and maps of which only the hot part is in the header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from typing import Final, Generic, TypeVar

import msgspec

from triggers.core.rows import Rows, session_prefix

T = TypeVar("T")

_encode: Final = msgspec.msgpack.Encoder().encode


class OwnRows:
    """The session's rows by suffix: what was changed over what is committed."""

    __slots__ = ("_changes", "_prefix", "_rows")

    def __init__(self, uid: str, rows: Rows) -> None:
        self._rows = rows
        self._prefix = session_prefix(uid)
        self._changes: dict[bytes, bytes | None] = {}

    def get(self, suffix: bytes) -> bytes | None:
        """The row, or None."""
        key = self._prefix + suffix
        return self._changes[key] if key in self._changes else self._rows.get(key)

    def put(self, suffix: bytes, row: bytes | None) -> None:
        """Write the row; None deletes it."""
        self._changes[self._prefix + suffix] = row

    def scan(self, kind: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(suffix, row) of all committed rows of a kind; a query: changes must have been written."""
        start = len(self._prefix)
        for key, row in self._rows.scan(self._prefix + kind):
            yield key[start:], row

    def first(self, most: int) -> list[tuple[bytes, bytes]]:
        """At most so many (suffix, row) pairs of whatever is there, changes included, in the order of the suffixes."""
        committed = (found for found in self._rows.scan(self._prefix) if found[0] not in self._changes)
        changed = sorted((key, row) for key, row in self._changes.items() if row is not None)
        start = len(self._prefix)
        return [(key[start:], row) for key, row in islice(merge(committed, changed), most)]

    def take_changes(self) -> dict[bytes, bytes | None]:
        """Changes since the last call, by key."""
        changes, self._changes = self._changes, {}
        return changes


class HotKind(Generic[T]):
    """What the maps of one kind have in common."""

    __slots__ = ("decode", "encode", "kind", "most")

    def __init__(self, kind: bytes, most: int, decode: Callable[[bytes], T]) -> None:
        self.kind = kind
        self.most = most
        """So many of them are hot."""
        self.encode = _encode
        self.decode = decode


class HotMap(Generic[T]):
    """Name -> value, at most so many of them in the header, the others in a row each.

    What is in the header (`hot`) counts; a row of the same name is older. To set a value is to put it there.
    """

    __slots__ = ("_kind", "_own", "hot", "spilled")

    def __init__(self, hot: dict[str, T], own: OwnRows, kind: HotKind[T], *, spilled: bool) -> None:
        self.hot = hot
        self.spilled = spilled
        """Whether any row was ever written."""
        self._own = own
        self._kind = kind

    def get(self, name: str) -> T | None:
        """The value, or None. It may be changed in place: it is hot now."""
        value = self.hot.get(name)
        if value is None and self.spilled and (row := self._own.get(self._kind.kind + name.encode())):
            value = self.hot[name] = self._kind.decode(row)
        return value

    def spill(self) -> None:
        """Move what has been hot for longest into rows. Once an event, so that batches make no difference."""
        kind = self._kind
        while len(self.hot) > kind.most:
            name = next(iter(self.hot))
            self._own.put(kind.kind + name.encode(), kind.encode(self.hot.pop(name)))
            self.spilled = True

    def all(self) -> dict[str, T]:
        """Everything; a query: changes must have been written."""
        start = len(self._kind.kind)
        rows = self._own.scan(self._kind.kind) if self.spilled else iter(())
        return {suffix[start:].decode(): self._kind.decode(row) for suffix, row in rows} | self.hot
