"""`DeadLetters`: lists, shows and redrives dead letters, for the CLI and the console."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from triggers.codec import DeadLetter, decode_dead_letter
from triggers.errors import IncompleteLetter, NotFound, RecordsRemoved, Undecodable
from triggers.kafka.own_headers import OWN_HEADERS, REDRIVES
from triggers.kafka.range_reads import partition_starts, read_range
from triggers.kafka.records import Header
from triggers.kafka.sender import Coordinates, KafkaSender
from triggers.settings import Settings
from triggers.topology import Topology

_DIGITS = 9
"""Maximum length of the number of redrives.

Anyone can write the header, and Python refuses to parse thousands of digits."""
_INCOMPLETE = (
    "the dead letter of {0.topic} {0.partition}/{0.offset} cannot be redriven: it does not have the whole record"
    " (missing: {0.missing}); publish the record again from where it came from"
)


class DeadLetters:
    """Reads dead letters and publishes their records again. All methods block and raise BrokerUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = KafkaSender(settings)

    def read_newest(self, limit: int = 100, reason: str | None = None) -> list[StoredLetter]:
        """Returns the last `limit` dead letters, optionally of one reason. Within a partition, the oldest comes first.

        Reads all dead letters to find them.
        """
        return list(deque((s for s in self.read_all() if reason in (None, s.letter.reason)), maxlen=limit))

    def read_all(self) -> Iterator[StoredLetter]:
        """Yields all dead letters that are on the topic now. Ignores records that are not dead letters."""
        return read_letters(self._settings)

    def read_letter(self, partition: int, offset: int) -> StoredLetter:
        """Returns the dead letter at these coordinates. Raises NotFound."""
        try:
            stored = next(read_letters(self._settings, {partition: offset}), None)
        except RecordsRemoved as error:
            raise NotFound(f"the dead letter at {partition}/{offset} was removed or never existed") from error
        if stored is None or stored.offset != offset:
            raise NotFound(f"there is no dead letter at {partition}/{offset}")
        return stored

    def redrive_letter(self, letter: DeadLetter) -> Coordinates:
        """Publishes the original value, key and headers to their original topic. Blocks until they are acknowledged.

        Returns the new coordinates. The dead letter itself remains. Redriving it again publishes the record again; an
        event with an `id` is still applied once. A header counts the redrives. Raises TooLarge, and IncompleteLetter if
        the letter does not have the whole record.
        """
        if letter.missing:
            raise IncompleteLetter(_INCOMPLETE.format(letter))
        delivery = self._sender.send(letter.topic, letter.key, letter.value, _headers(letter))
        return self._sender.wait_for(delivery)


def redrive_count(letter: DeadLetter) -> int:
    """Returns how often the record was redriven before it became this dead letter."""
    counts = [int(value[:_DIGITS]) for name, value in letter.headers if name == REDRIVES and value and value.isdigit()]
    return max(counts, default=0)


def _headers(letter: DeadLetter) -> list[Header]:
    """Returns the original headers and the new count, without our own headers, so the record can be forwarded again."""
    headers = [(name, value) for name, value in letter.headers if name not in OWN_HEADERS]
    return [*headers, (REDRIVES, str(redrive_count(letter) + 1).encode())]


class StoredLetter(NamedTuple):
    """A dead letter and its coordinates in the dead-letter topic."""

    partition: int
    offset: int
    letter: DeadLetter


def read_letters(settings: Settings, starts: Mapping[int, int] | None = None) -> Iterator[StoredLetter]:
    """Yields all dead letters that are on the topic now. With `starts`, begins at these offsets by partition.

    Ignores records that are not dead letters. Blocks. Raises BrokerUnavailable.
    """
    topic = Topology(settings.namespace).dead_letters
    for message in read_range(settings, topic, partition_starts(settings, topic) if starts is None else starts):
        try:
            letter = decode_dead_letter(message.value())
        except Undecodable:
            continue
        yield StoredLetter(message.partition() or 0, message.offset() or 0, letter)
