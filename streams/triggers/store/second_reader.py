"""The second reader of a restore. It keeps only the offsets of the rows and runs in a separate thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import closing
from threading import Event
from typing import Final, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from triggers.kafka.connection import Options
from triggers.store.restored_rows import offsets_of, split_messages

_MAX_MESSAGES: Final = 5000
_MAX_WAITING: Final = 20
"""Maximum number of chunks that the restore has not compared. The second reader then waits for it."""
_PAUSE_S: Final = 0.005


class Chunk(NamedTuple):
    """The result of one `consume`."""

    offsets: dict[int, list[int]]
    """Offsets of the records, by partition."""
    ends: dict[int, int]
    """End position by partition, for those whose end was reached."""


class SecondReader:
    """Reads the range of a restore once more, on separate connections and from absolute offsets."""

    def __init__(self, options: Options, topic: str, starts: Mapping[int, int]) -> None:
        """`starts` has the first offset of each partition."""
        self._options = options
        self._starts = [TopicPartition(topic, partition, offset) for partition, offset in starts.items()]
        self.chunks: deque[Chunk] = deque()
        """Chunks in order; the restore takes them from the left."""

    def run(self, stop: Event) -> None:
        """Reads until `stop` is set. Blocks. Raises Stop for an error that is not temporary."""
        with closing(Consumer(self._options)) as kafka:
            kafka.assign(self._starts)
            while not stop.is_set():
                if len(self.chunks) >= _MAX_WAITING:
                    stop.wait(_PAUSE_S)
                elif messages := kafka.consume(_MAX_MESSAGES, 0.05):
                    rows, ends = split_messages(messages)
                    self.chunks.append(Chunk({p: offsets_of(fetched) for p, fetched in rows.items()}, ends))
