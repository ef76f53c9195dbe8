"""Operators' view of `<ns>.dead-letters`: list, show, redrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import KafkaException

from triggers.client.connection import admin_client, unavailable
from triggers.client.kafka_sender import Coordinates, Header, KafkaSender
from triggers.client.topic_range import read_range, watermarks
from triggers.client.topics import partition_count
from triggers.codec import DeadLetter, decode_dead_letter
from triggers.errors import NotFound, Undecodable
from triggers.settings import Settings
from triggers.topology import Topology

REDRIVES = "triggers-redrives"
"""Header of a redriven record: how often it was."""
_OWN_HEADERS = "triggers-"


class StoredLetter(NamedTuple):
    """A dead letter and its place in the dead-letter topic."""

    partition: int
    offset: int
    letter: DeadLetter


class DeadLetters:
    """Reads the dead letters and publishes originals again. Blocks; raises BrokerUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = Topology(settings.namespace).dead_letters
        self._sender = KafkaSender(settings)

    def newest(self, limit: int = 100, reason: str | None = None) -> list[StoredLetter]:
        """The last `limit` dead letters (of a reason), oldest first within each partition."""
        return list(deque((s for s in self.every() if reason in (None, s.letter.reason)), maxlen=limit))

    def every(self) -> Iterator[StoredLetter]:
        """All dead letters that are there now; records of the topic that are none are passed over."""
        try:
            partitions = range(partition_count(admin_client(self._settings), self._topic))
        except KafkaException as error:
            raise unavailable(self._settings, error) from error
        starts = {p: low for p, (low, _) in watermarks(self._settings, self._topic, list(partitions)).items()}
        return self._read(starts)

    def get(self, partition: int, offset: int) -> StoredLetter:
        """The dead letter at a place. Raises NotFound."""
        stored = next(self._read({partition: offset}), None)
        if stored is None or stored.offset != offset:
            raise NotFound(f"there is no dead letter at {partition}/{offset}")
        return stored

    def redrive(self, letter: DeadLetter) -> Coordinates:
        """Publish the original bytes, key and headers to the topic they came from, and wait until they are safe.

        The dead letter stays. Twice publishes twice: an event with an `id` is then applied once. A header counts.
        Raises TooLarge.
        """
        delivery = self._sender.send(letter.topic, letter.key, letter.value, _headers(letter))
        return self._sender.wait(delivery)

    def _read(self, starts: dict[int, int]) -> Iterator[StoredLetter]:
        for message in read_range(self._settings, self._topic, starts):
            try:
                letter = decode_dead_letter(message.value())
            except Undecodable:
                continue
            yield StoredLetter(message.partition() or 0, message.offset() or 0, letter)


def redrives(letter: DeadLetter) -> int:
    """How often the record had been redriven when it died."""
    counts = [int(value) for name, value in letter.headers if name == REDRIVES and value and value.isdigit()]
    return max(counts, default=0)


def _headers(letter: DeadLetter) -> list[Header]:
    """The original headers without our own (a forwarded record may be forwarded again), and the count."""
    kept = [(name, value) for name, value in letter.headers if not name.startswith(_OWN_HEADERS)]
    return [*kept, (REDRIVES, str(redrives(letter) + 1).encode())]
