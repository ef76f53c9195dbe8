"""Which partitions a worker owns, and which of them it may process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Ownership:
    """Partitions by the epoch of their latest assignment.

    A partition is ready once it was recovered *in the epoch it was last assigned in*: the end of an earlier recovery
    says nothing about a partition that went away and came back meanwhile.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._assigned: dict[int, int] = {}
        self._recovered: dict[int, int] = {}
        self.joined = False
        """Whether the group has given us an assignment, an empty one perhaps."""

    @property
    def owned(self) -> frozenset[int]:
        """Everything assigned now."""
        return frozenset(self._assigned)

    @property
    def ready(self) -> frozenset[int]:
        """What may be processed and asked."""
        return frozenset(p for p, epoch in self._assigned.items() if self._recovered.get(p) == epoch)

    def assign(self, partitions: Iterable[int]) -> None:
        """More partitions are ours; each must be recovered before it is ready."""
        self._epoch += 1
        self.joined = True
        self._assigned = self._assigned | dict.fromkeys(partitions, self._epoch)

    def revoke(self, partitions: Iterable[int]) -> None:
        """These partitions are no longer ours."""
        gone = set(partitions)
        self._assigned = {p: epoch for p, epoch in self._assigned.items() if p not in gone}

    def epochs_to_recover(self) -> dict[int, int]:
        """Partition -> epoch of everything that is owned and not ready."""
        return {p: epoch for p, epoch in self._assigned.items() if self._recovered.get(p) != epoch}

    def mark_recovered(self, epochs: Mapping[int, int]) -> None:
        """These partitions hold everything that was committed when they were assigned in that epoch."""
        self._recovered = self._recovered | dict(epochs)
