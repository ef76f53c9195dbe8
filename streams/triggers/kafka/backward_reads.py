"""Reads a topic from its end to its beginning, so that whoever wants its newest records need not read all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from confluent_kafka import Message

from triggers.kafka.range_reads import open_ranges
from triggers.settings import Settings

_FIRST_PART: Final = 200
"""Number of offsets of each partition that are read first, from the end of the topic."""
_MAX_PART: Final = 10_000
_PART_BYTES: Final = 16 << 20
"""Size of the records that are read together, if they are as large as those before: that of the client's queue."""
_LATEST: Final = 1 << 63
"""A time after that of every record."""


def read_backwards(settings: Settings, topic: str) -> Iterator[Message]:
    """Yields all committed records of a topic that are on it now, the newest first. Blocks.

    The order of each partition is exactly reversed, and records of different partitions are ordered by their times. One
    part of each partition is in memory. Raises like `read_topic`.
    """
    with open_ranges(settings, topic) as reader:
        unread = {p: (first, end) for p, (first, end) in reader.bounds().items() if first < end}
        oldest = dict.fromkeys(unread, _LATEST)
        waiting: list[tuple[int, Message]] = []
        size = _FIRST_PART
        while unread:
            horizon = max(oldest[partition] for partition in unread)
            part = {p: (max(first, end - size), end) for p, (first, end) in unread.items() if oldest[p] == horizon}
            messages = list(reader.read(part))
            waiting = sorted([*waiting, *_timed(messages, oldest)], key=itemgetter(0), reverse=True)
            rest = {p: (first, part[p][0] if p in part else end) for p, (first, end) in unread.items()}
            unread = {p: (first, end) for p, (first, end) in rest.items() if first < end}
            size = _next_size(messages)
            horizon = max((oldest[partition] for partition in unread), default=-1)
            ready = sum(time >= horizon for time, _ in waiting)  # all that is unread is older
            yield from (message for _, message in waiting[:ready])
            del waiting[:ready]


def _timed(messages: Sequence[Message], oldest: dict[int, int]) -> list[tuple[int, Message]]:
    """Returns the messages from the last to the first, with times that never increase in a partition."""
    timed: list[tuple[int, Message]] = []
    for message in reversed(messages):
        partition = message.partition() or 0
        oldest[partition] = min(oldest[partition], max(message.timestamp()[1], 0))
        timed.append((oldest[partition], message))
    return timed


def _next_size(messages: Sequence[Message]) -> int:
    """Returns how many offsets of a partition to read next, if their records are as large as these."""
    size = sum(len(message) for message in messages)
    return min(max(_PART_BYTES * len(messages) // size, 1), _MAX_PART) if size else _MAX_PART
