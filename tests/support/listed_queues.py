"""Queues whose topics a test lists, instead of a broker."""

from __future__ import annotations

from triggers.errors import TryAgain


class ListedQueues:
    """The agent's `QueueTopics`, for tests without a broker."""

    def __init__(self, **limits: int) -> None:
        """`limits` maps the queues that have a topic to the maximum size of its records."""
        self.limits = limits
        self.undecided: set[str] = set()
        """Queues of which it is not known yet whether they have a topic."""
        self.forgotten = 0

    def find_limit(self, queue: str) -> int | None:
        if queue in self.undecided:
            raise TryAgain(queue)
        return self.limits.get(queue)

    def forget(self) -> None:
        self.forgotten += 1
