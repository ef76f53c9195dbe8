"""A record to produce."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.kafka.records import Header


@dataclass(init=False, slots=True)
class Output:
    """A record that the batch's transaction produces. Written once, read for every event: see `triggers.core.plan`."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int
    """-1: the partition of the key."""
    headers: list[Header] | None
    time: int
    """Milliseconds; 0: now."""

    def __init__(  # noqa: PLR0913, PLR0917  # its own: that of a data class takes 1.7 µs where it is compiled
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int = -1,
        headers: list[Header] | None = None,
        time: int = 0,
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.partition = partition
        self.headers = headers
        self.time = time
