"""The rows of one session, and maps whose hot entries are in the header and whose other entries are in rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from typing import Final, Generic, TypeVar

import msgspec
from mypy_extensions import mypyc_attr

from triggers.core.state.rows import Rows, session_prefix

T = TypeVar("T")

_encode: Final = msgspec.msgpack.Encoder().encode


@mypyc_attr(acyclic=True)
class SessionRows:
    """The session's rows by the suffix of their keys. Changes hide the partition's rows until they are taken."""

    __slots__ = ("_changes", "_prefix", "_rows", "uid")

    def __init__(self, uid: str, rows: Rows) -> None:
        self.uid = uid
        self._rows = rows
        self._prefix = session_prefix(uid)
        self._changes: dict[bytes, bytes | None] = {}

    def get(self, suffix: bytes) -> bytes | None:
        """Returns the row, or None."""
        key = self._prefix + suffix
        return self._changes[key] if key in self._changes else self._rows.get(key)

    def put(self, suffix: bytes, row: bytes | None) -> None:
        """Writes the row, or deletes it if it is None."""
        self._changes[self._prefix + suffix] = row

    def scan(self, kind: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yields (suffix, row) for all rows of a kind, in the order of their suffixes. It includes changes."""
        prefix, start, changes = self._prefix + kind, len(self._prefix), self._changes
        committed = (item for item in self._rows.scan(prefix) if item[0] not in changes)
        changed = sorted((key, row) for key, row in changes.items() if row is not None and key.startswith(prefix))
        for key, row in merge(committed, changed):
            yield key[start:], row

    def first(self, limit: int) -> list[tuple[bytes, bytes]]:
        """Returns the first `limit` rows as (suffix, row), in the order of their suffixes. It includes changes."""
        return list(islice(self.scan(), limit))

    def copy_changes(self) -> dict[bytes, bytes | None]:
        """Returns a copy of the changes, which `replace_changes` can bring back."""
        return dict(self._changes)

    def replace_changes(self, changes: dict[bytes, bytes | None]) -> None:
        """Replaces all changes by these. They are not copied."""
        self._changes = changes

    def take_changes(self) -> dict[bytes, bytes | None]:
        """Returns the changes since the last call, by key."""
        changes, self._changes = self._changes, {}
        return changes


class SpillingKind(Generic[T]):
    """The parameters that all sessions' maps of one kind share."""

    __slots__ = ("decode", "encode", "kind", "max_hot")

    def __init__(self, kind: bytes, max_hot: int, decode: Callable[[bytes], T]) -> None:
        self.kind = kind
        self.max_hot = max_hot
        """Maximum number of hot entries after `spill`."""
        self.encode = _encode
        self.decode = decode


class SpillingMap(Generic[T]):
    """A map from names to values with a bounded number of hot entries in the header and one row for every other entry.

    An entry in `hot` supersedes a row of the same name, which is older. Callers set a value by writing it into `hot`.
    """

    __slots__ = ("_kind", "_rows", "hot", "spilled")

    def __init__(self, hot: dict[str, T], rows: SessionRows, kind: SpillingKind[T], *, spilled: bool) -> None:
        self.hot = hot
        self.spilled = spilled
        """True if a row was ever written; otherwise `get` does not look for one."""
        self._rows = rows
        self._kind = kind

    def get(self, name: str) -> T | None:
        """Returns the value, or None. The entry becomes hot, so the caller may change the value in place."""
        value = self.hot.get(name)
        if value is None and self.spilled and (row := self._rows.get(self._kind.kind + name.encode())):
            value = self.hot[name] = self._kind.decode(row)
        return value

    def spill(self) -> None:
        """Moves the entries that have been hot the longest into rows, until the others are within the limit.

        Called once per event, so that the state does not depend on how events are batched.
        """
        kind = self._kind
        while len(self.hot) > kind.max_hot:
            name = next(iter(self.hot))
            self._rows.put(kind.kind + name.encode(), kind.encode(self.hot.pop(name)))
            self.spilled = True

    def all(self) -> dict[str, T]:
        """Returns all entries."""
        start = len(self._kind.kind)
        return {suffix[start:].decode(): self._kind.decode(row) for suffix, row in self.rows().items()} | self.hot

    def rows(self) -> dict[bytes, bytes]:
        """Returns the rows by their suffixes, those of hot entries included, which are older than the entries."""
        return dict(self._rows.scan(self._kind.kind)) if self.spilled else {}


class RowKind(Generic[T]):
    """The parameters that all maps of rows of one kind share."""

    __slots__ = ("decode", "empty", "encode", "kind")

    def __init__(self, kind: bytes, decode: Callable[[bytes], T], empty: Callable[[], T]) -> None:
        self.kind = kind
        self.encode = _encode
        self.decode = decode
        self.empty = empty


class RowMap(Generic[T]):
    """A map from names to values, each in a row of its own that is read on demand and written if it has changed."""

    __slots__ = ("_absent", "_changed", "_kind", "_read", "_rows")

    def __init__(self, rows: SessionRows, kind: RowKind[T]) -> None:
        self._rows = rows
        self._kind = kind
        self._read: dict[str, T] = {}
        self._changed: set[str] = set()
        self._absent: set[str] = set()
        """Names without a row, so that none has to be deleted."""

    def get(self, name: str) -> T:
        """Returns the value, to read; an empty one if there is none."""
        value = self._read.get(name)
        if value is None:
            row = self._rows.get(self._kind.kind + name.encode())
            if row is None:
                self._absent.add(name)
            value = self._read[name] = self._kind.empty() if row is None else self._kind.decode(row)
        return value

    def change(self, name: str) -> T:
        """Returns the value, to change in place."""
        self._changed.add(name)
        return self.get(name)

    def set(self, name: str, value: T) -> None:
        """Replaces the value."""
        self._read[name] = value
        self._changed.add(name)

    def write(self) -> None:
        """Writes the values that have changed, deletes the rows of those that are empty, and forgets all values."""
        if self._changed:
            kind, empty = self._kind, self._kind.empty()
            for name in sorted(self._changed):
                value = self._read[name]
                if value != empty:
                    self._rows.put(kind.kind + name.encode(), kind.encode(value))
                elif name not in self._absent:
                    self._rows.put(kind.kind + name.encode(), None)
            self._changed.clear()
        self._read.clear()
        self._absent.clear()
