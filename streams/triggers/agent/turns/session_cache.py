"""A cache of decoded sessions."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.state.session import Session


class SessionCache:
    """Decoded sessions of owned partitions, kept from batch to batch; the least recently used come first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._partitions: dict[int, dict[bytes, Session]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._partitions.values()))

    def take(self, partition: int, key: bytes) -> Session | None:
        """Removes a session from the cache and returns it, or None. `put` it back once its events are applied."""
        sessions = self._partitions.get(partition)
        return sessions.pop(key, None) if sessions else None

    def put(self, partition: int, key: bytes, session: Session) -> None:
        """Caches the session as the most recently used one."""
        self._partitions.setdefault(partition, {})[key] = session

    def trim(self) -> None:
        """Drops the least recently used sessions that exceed the capacity. Each partition has the same share of it."""
        share = self._capacity // max(len(self._partitions), 1)
        for sessions in self._partitions.values():
            for key in [key for key, _ in zip(sessions, range(len(sessions) - share), strict=False)]:
                del sessions[key]

    def forget_catalogs(self, partition: int) -> None:
        """Lets the partition's sessions read the published rules again."""
        for session in self._partitions.get(partition, {}).values():
            session.forget_catalog()

    def forget(self, partitions: Iterable[int] | None = None) -> None:
        """Drops the sessions of these partitions, or all sessions if None."""
        for partition in list(self._partitions) if partitions is None else partitions:
            self._partitions.pop(partition, None)
