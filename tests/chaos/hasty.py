"""An application that publishes an hour's events as fast as one producer can send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from zlib import crc32

from confluent_kafka import KafkaError, Message
from tests.chaos.producers import Service
from tests.chaos.questionnaire import Fields

from triggers.settings import Settings
from triggers.topology import partition_of

_SECONDS = 3600
_PAGES = 30
_ANSWERS = 4
_OPEN_SESSIONS = 100
_RULES: Fields = {"t_page": {"after": [], "andEvery": "page", "run": "tests.chaos.tasks.work"}}

Ready = tuple[int, bytes, bytes]
"""Partition, key and value."""


class Hasty(Service):
    """Publishes the events that it has prepared, and ends. Every fifth event causes a command."""

    def __init__(self, settings: Settings, commands_per_s: float, payload_bytes: int) -> None:
        """`payload_bytes` is the size of each event's kwargs."""
        super().__init__("hasty", settings, seed=0, rate=0)
        self._payload = "x" * payload_bytes
        self.commands = round(commands_per_s * _SECONDS)
        self.prepared: list[Ready] = [
            (partition_of(uid.encode(), settings.partitions), uid.encode(), json.dumps(event).encode())
            for uid, event in self._interleaved()
        ]

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged events."""
        return len(self.published)

    def run(self) -> None:
        """Publishes without a pause. Events that the broker does not accept yet wait in this process."""
        for partition, key, value in self.prepared:
            while True:
                try:
                    self._producer.produce(self._topic, value, key, partition, on_delivery=self._on_delivery)
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
        self._producer.flush()

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.published.failed.append(error.str())
            return
        coordinates = (message.partition() or 0, message.offset() or 0)
        self.published.add(coordinates, crc32(message.value() or b""))

    def _interleaved(self) -> Iterator[tuple[str, Fields]]:
        """Interleaves the events of a hundred sessions at a time."""
        sessions = [f"hasty-{number}" for number in range(-(-self.commands // _PAGES))]
        left = self.commands
        for first in range(0, len(sessions), _OPEN_SESSIONS):
            together = sessions[first : first + _OPEN_SESSIONS]
            for uid in together:
                yield uid, {"configuration": _RULES}
            for page in range(_PAGES):
                for uid in together[:left]:
                    yield from ((uid, event) for event in self._page(page))
                left -= min(left, len(together))

    def _page(self, number: int) -> Iterator[Fields]:
        for answer in range(_ANSWERS):
            yield {"trigger": "answered", "kwargs": {"answer": f"{number}.{answer}", "text": self._payload}}
        yield {"trigger": "page", "kwargs": {"page": number, "text": self._payload}}
