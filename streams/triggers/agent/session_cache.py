"""Decoded sessions between batches."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.state.session import Session


class SessionCache:
    """Sessions of owned partitions, least recently used first. Emptied of a partition when it is revoked."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._partitions: dict[int, dict[bytes, Session]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._partitions.values()))

    def take(self, partition: int, key: bytes) -> Session | None:
        """The session, no longer cached: `put` it back when its batch went well."""
        sessions = self._partitions.get(partition)
        return sessions.pop(key, None) if sessions else None

    def put(self, partition: int, key: bytes, session: Session) -> None:
        """Keep the session as the most recently used one."""
        self._partitions.setdefault(partition, {})[key] = session

    def trim(self) -> None:
        """Let go of the least recently used sessions beyond the capacity, the same share of every partition."""
        share = self._capacity // max(len(self._partitions), 1)
        for sessions in self._partitions.values():
            for key in [key for key, _ in zip(sessions, range(len(sessions) - share), strict=False)]:
                del sessions[key]

    def forget(self, partitions: Iterable[int] | None = None) -> None:
        """Drop all sessions of these partitions; None: of all."""
        for partition in list(self._partitions) if partitions is None else partitions:
            self._partitions.pop(partition, None)
