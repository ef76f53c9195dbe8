"""The partitions that a worker owns, and those of them that it may process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Ownership:
    """The owned partitions, each with the epoch of its latest assignment.

    A partition is ready once it was restored in the epoch of its latest assignment. A restore of an earlier epoch
    does not count, because another worker may have owned the partition in between.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._assigned: dict[int, int] = {}
        self._restored: dict[int, int] = {}
        self.has_joined = False
        """True once the group has assigned partitions to this worker, or none."""

    @property
    def owned(self) -> frozenset[int]:
        """Returns all partitions that are assigned now."""
        return frozenset(self._assigned)

    @property
    def ready(self) -> frozenset[int]:
        """Returns the partitions that are restored. They may be processed and queried."""
        return frozenset(p for p, epoch in self._assigned.items() if self._restored.get(p) == epoch)

    def assign(self, partitions: Iterable[int]) -> None:
        """Adds newly assigned partitions. Each must be restored before it is ready."""
        self._epoch += 1
        self.has_joined = True
        self._assigned = self._assigned | dict.fromkeys(partitions, self._epoch)

    def revoke(self, partitions: Iterable[int]) -> None:
        """Removes revoked partitions."""
        gone = set(partitions)
        self._assigned = {p: epoch for p, epoch in self._assigned.items() if p not in gone}

    def epochs_to_restore(self) -> dict[int, int]:
        """Returns the owned partitions that are not ready, each with its epoch."""
        return {p: epoch for p, epoch in self._assigned.items() if self._restored.get(p) != epoch}

    def mark_restored(self, epochs: Mapping[int, int]) -> None:
        """Marks partitions as restored, each in the epoch in which its restore began."""
        self._restored = self._restored | dict(epochs)
