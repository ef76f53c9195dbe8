"""Operators' view of `<ns>.dead-letters`: list, show, redrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from triggers.client.kafka_sender import Coordinates, KafkaSender
from triggers.client.stored_letters import StoredLetter, stored_letters
from triggers.codec import DeadLetter
from triggers.errors import NotFound
from triggers.kafka.records import Header
from triggers.settings import Settings

REDRIVES = "triggers-redrives"
"""Header of a redriven record: how often it was."""
_OWN_HEADERS = "triggers-"
_DIGITS = 9
"""Of a count; anybody can write the header, and Python reads no number of thousands of digits."""


class DeadLetters:
    """Reads the dead letters and publishes originals again. Blocks; raises BrokerUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = KafkaSender(settings)

    def newest(self, limit: int = 100, reason: str | None = None) -> list[StoredLetter]:
        """The last `limit` dead letters (of a reason), oldest first within each partition."""
        return list(deque((s for s in self.every() if reason in (None, s.letter.reason)), maxlen=limit))

    def every(self) -> Iterator[StoredLetter]:
        """All dead letters that are there now; records of the topic that are none are passed over."""
        return stored_letters(self._settings)

    def get(self, partition: int, offset: int) -> StoredLetter:
        """The dead letter at a place. Raises NotFound."""
        stored = next(stored_letters(self._settings, {partition: offset}), None)
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


def redrives(letter: DeadLetter) -> int:
    """How often the record had been redriven when it died."""
    counts = [int(value[:_DIGITS]) for name, value in letter.headers if name == REDRIVES and value and value.isdigit()]
    return max(counts, default=0)


def _headers(letter: DeadLetter) -> list[Header]:
    """The original headers without our own (a forwarded record may be forwarded again), and the count."""
    kept = [(name, value) for name, value in letter.headers if not name.startswith(_OWN_HEADERS)]
    return [*kept, (REDRIVES, str(redrives(letter) + 1).encode())]
