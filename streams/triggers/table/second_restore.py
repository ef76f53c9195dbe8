"""The second reader of a restore: it takes no rows, only their offsets, and works in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import closing
from threading import Event
from typing import Final, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from triggers.kafka.connection import Options
from triggers.table.restored_rows import offsets_of, sorted_out

_MOST: Final = 5000
_MAX_WAITING: Final = 20
"""Chunks that the restore has not looked at; the second reader waits for it then."""
_PAUSE_S: Final = 0.005


class Chunk(NamedTuple):
    """What one call has brought."""

    offsets: dict[int, list[int]]
    """Partition -> offsets of its records."""
    ends: dict[int, int]
    """Partition -> where its reader says that it ends."""


class SecondReader:
    """Reads the range of a restore once more, on connections of its own, assigned at absolute offsets."""

    def __init__(self, options: Options, topic: str, starts: Mapping[int, int]) -> None:
        """`starts`: partition -> first offset."""
        self._options = options
        self._places = [TopicPartition(topic, partition, offset) for partition, offset in starts.items()]
        self.chunks: deque[Chunk] = deque()
        """To be taken from the left by the restore."""

    def run(self, stop: Event) -> None:
        """Read until told to stop. Raises Stop for an error that does not pass."""
        with closing(Consumer(self._options)) as kafka:
            kafka.assign(self._places)
            while not stop.is_set():
                if len(self.chunks) >= _MAX_WAITING:
                    stop.wait(_PAUSE_S)
                elif messages := kafka.consume(_MOST, 0.05):
                    rows, ends = sorted_out(messages)
                    self.chunks.append(Chunk({p: offsets_of(found) for p, found in rows.items()}, ends))
