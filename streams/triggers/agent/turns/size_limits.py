"""The sizes of rows and outputs, compared with what their topics accept."""

from __future__ import annotations

from collections.abc import Iterable

from triggers.core.state.rows import Changes
from triggers.kafka.installed_topics import InstalledTopics
from triggers.store.batch import Output
from triggers.topology import Topology


class SizeLimits:
    """The limits of the topics that a decision writes to."""

    __slots__ = ("_names", "_of_queues", "_topics", "smallest")

    def __init__(self, names: Topology, topics: InstalledTopics) -> None:
        self._names = names
        self._topics = topics
        self._of_queues: dict[str, int] = {}
        self.smallest = topics.smallest_limit
        """Limit in bytes of the topic that accepts the least. Rows and outputs within it in total exceed no limit."""

    def add_topic(self, topic: str, limit: int) -> None:
        """Adds the topic of a queue, which was found when a command was encoded."""
        self._of_queues[topic] = limit
        self.smallest = min(self.smallest, limit)

    def describe_excess(self, changes: Changes, outputs: Iterable[Output]) -> str:
        """Describes the first row or output that exceeds its topic's limit. Returns an empty string if none does."""
        limit = self._topics.limit_of(self._names.changelog)
        for key, row in changes.items():
            if row is not None and len(key) + len(row) > limit:
                return f"a row of {len(key) + len(row)} bytes, but {self._names.changelog} accepts {limit}"
        for output in outputs:
            if (size := size_of_output(output)) > (limit := self._limit_of(output.topic)):
                return f"{self._kind_of(output)} of {size} bytes, but {output.topic} accepts {limit}"
        return ""

    def _limit_of(self, topic: str) -> int:
        return self._of_queues.get(topic) or self._topics.limit_of(topic)

    def _kind_of(self, output: Output) -> str:
        if output.topic.startswith(self._names.commands):
            return "a command"
        return "an event" if output.topic == self._names.events else "a decision"


def size_of_output(output: Output) -> int:
    """Returns the number of bytes of key, value and headers."""
    size = len(output.key or b"") + len(output.value or b"")
    if output.headers:
        for name, value in output.headers:
            size += len(name) + (0 if value is None else len(value)) + 8
    return size


def size_of_rows(rows: Changes) -> int:
    """Returns the bytes of all keys and rows."""
    size = 0
    for key, row in rows.items():
        size += len(key) + (0 if row is None else len(row))
    return size
