"""Reads the topic `<ns>.dead-letters`, without a producer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from triggers.client.topic_range import partition_starts, read_range
from triggers.codec import DeadLetter, decode_dead_letter
from triggers.errors import Undecodable
from triggers.settings import Settings
from triggers.topology import Topology


class StoredLetter(NamedTuple):
    """A dead letter and its coordinates in the dead-letter topic."""

    partition: int
    offset: int
    letter: DeadLetter


def stored_letters(settings: Settings, starts: Mapping[int, int] | None = None) -> Iterator[StoredLetter]:
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
