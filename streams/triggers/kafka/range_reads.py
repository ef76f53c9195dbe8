"""Reads topics from given offsets to their present end, and the offsets at which partitions begin and end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.errors import BrokerUnavailable, RecordsRemoved
from triggers.kafka.connection import Options, admin_client, unavailable
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF
from triggers.kafka.log_bounds import read_log_bounds
from triggers.kafka.reading_options import gap_reader_options, reader_options
from triggers.kafka.repeated_calls import repeat_while_electing
from triggers.kafka.skip_guard import SkipGuard
from triggers.kafka.topics import existing_partitions
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_MAX_MESSAGES = 500
_GATHER_S = 0.01
"""Time for which more records are awaited after the first one. `consume` waits for as many as it may return."""
_FETCH_WAIT_MS = 10
"""Maximum wait of a fetch at the end of a partition, by default half a second. The end is reported only after a fetch
that finds nothing."""
_MAX_THREADS = 16
_FULL_QUEUE_WAIT_MS = 5
"""Wait after which librdkafka fetches again when its queue was full, by default a second, so that the queue ran empty.
"""
_MAX_PROVED_TOGETHER = 20_000
"""Maximum number of fetched records whose gaps are proved together, because each proof takes some milliseconds."""


def read_range(
    settings: Settings,
    topic: str,
    starts: Mapping[int, int],
    *,
    ends: Mapping[int, int] | None = None,
    undecided: bool = False,
) -> Iterator[Message]:
    """Yields all committed records of the partitions in `starts`, from these offsets to the end of each partition now.

    With `ends`, stops before these offsets. With `undecided`, also yields records after the start of an open
    transaction, which consumers of committed records cannot read yet. Blocks. Raises BrokerUnavailable if nothing
    arrives for 20 s, RecordsRemoved if retention removed records before they were read, and RecordsSkipped if the Kafka
    client repeatedly skips records.
    """
    with open_ranges(settings, topic, undecided=undecided) as reader:
        limits = {p: end for p, (_, end) in reader.bounds_of(list(starts)).items()}
        limits = {p: min(limit, (ends or limits).get(p, limit)) for p, limit in limits.items()}
        yield from reader.read({p: (starts[p], limit) for p, limit in limits.items()})


def read_topic(settings: Settings, topic: str) -> Iterator[Message]:
    """Yields all committed records of a topic that are on it now. Blocks.

    Raises like `read_range`, and TopicMissing.
    """
    with open_ranges(settings, topic) as reader:
        yield from reader.read(reader.bounds())


def partition_starts(settings: Settings, topic: str) -> dict[int, int]:
    """Returns the first offset of each partition. Blocks. Raises BrokerUnavailable, also if the topic is missing."""
    consumer = Consumer(reader_options(settings))
    try:
        partitions = existing_partitions(settings, consumer, topic)
        return {partition: _watermarks(consumer, TopicPartition(topic, partition))[0] for partition in partitions}
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()


def watermarks(
    settings: Settings, topic: str, partitions: list[int], *, undecided: bool = False
) -> dict[int, tuple[int, int]]:
    """Returns the first offset and the end offset of each partition. Blocks. Raises BrokerUnavailable.

    The end is that of the committed records (Kafka's last stable offset); with `undecided`, that of all records.
    """
    try:
        bounds = read_log_bounds(admin_client(settings), [(topic, partition) for partition in partitions])
    except KafkaException as error:
        raise unavailable(settings, error) from error
    return {
        partition: (each.first, each.end if undecided else each.stable_end) for (_, partition), each in bounds.items()
    }


@contextmanager
def open_ranges(settings: Settings, topic: str, *, undecided: bool = False) -> Iterator[RangeReader]:
    """Opens a reader of a topic, which can read several ranges with the same connections, and closes it.

    With `undecided`, it also reads records after the start of an open transaction. Raises like `read_range`.
    """
    prompt: Options = {"fetch.wait.max.ms": _FETCH_WAIT_MS, "fetch.queue.backoff.ms": _FULL_QUEUE_WAIT_MS}
    consumer = Consumer(reader_options(settings, _isolation(undecided) | prompt))
    reader = RangeReader(settings, consumer, topic, undecided=undecided)
    try:
        yield reader
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()
        reader.close()


class RangeReader:
    """Reads partitions to their ends. It returns a record only when it is proved that none before it is missing."""

    def __init__(self, settings: Settings, consumer: Consumer, topic: str, *, undecided: bool) -> None:
        self._settings = settings
        self._consumer = consumer
        self._topic = topic
        self._guard = SkipGuard(lambda: gap_reader_options(settings), topic, undecided=undecided)
        self._ends: dict[int, int] = {}

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Returns the first offset and the end offset of each partition now. Blocks. Raises TopicMissing."""
        return self.bounds_of(existing_partitions(self._settings, self._consumer, self._topic))

    def bounds_of(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Returns the first offset and the end offset of these partitions now. Blocks. Asks for all at once."""
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        if len(asked) < 2:
            return {each.partition: _watermarks(self._consumer, each) for each in asked}
        with ThreadPoolExecutor(min(len(asked), _MAX_THREADS), "bounds") as threads:
            bounds = threads.map(lambda each: _watermarks(self._consumer, each), asked)
            return dict(zip(partitions, bounds, strict=True))

    def read(self, ranges: Mapping[int, tuple[int, int]]) -> Iterator[Message]:
        """Yields the records of partitions from the first offset of each to before its end offset.

        The end must not be after that of the log. A later call ends an earlier one.
        """
        self._ends = {}
        for partition, (first, end) in ranges.items():
            if end > first:
                self._ends[partition] = end
                self._guard.start(partition, first)
        if self._ends:
            self._assign()
        while self._ends:
            yield from self._read_some()

    def _read_some(self) -> list[Message]:
        """Returns some records, possibly none. Blocks until a record arrives or a partition has been read."""
        messages = self._consumer.consume(1, _TIMEOUT_S)
        if not messages:
            raise BrokerUnavailable(f"Kafka at {self._settings.shown_brokers}: nothing arrives")
        messages += self._consumer.consume(_MAX_MESSAGES, _GATHER_S)
        messages += self._consumer.consume(_MAX_PROVED_TOGETHER, 0)
        reported: dict[int, int] = {}
        if any(map(Message.error, messages)):
            reported = self._ends_in(messages)
            messages = [message for message in messages if message.error() is None]
        checked = self._guard.check(self._of_unfinished(messages))
        again = set(checked.read_again)
        for partition, position in reported.items():
            if partition not in again and position > self._guard.next_of(partition):
                again |= {partition} if self._guard.reach(partition, position) is not None else set()
        records = self._before_ends(checked.messages)
        self._ends = {p: end for p, end in self._ends.items() if self._guard.next_of(p) < end}
        if again:
            self._assign()
        return records

    def _of_unfinished(self, messages: list[Message]) -> list[Message]:
        """Returns the messages of the partitions that have not been read to their ends."""
        if self._ends.keys() >= set(map(Message.partition, messages)):
            return messages
        return [message for message in messages if message.partition() in self._ends]

    def _before_ends(self, messages: list[Message]) -> list[Message]:
        """Returns the messages before the ends. Only of partitions that have passed theirs can any be left out."""
        passed = {partition: end for partition, end in self._ends.items() if self._guard.next_of(partition) > end}
        if not passed:
            return messages
        return [m for m in messages if m.partition() not in passed or (m.offset() or 0) < passed[m.partition() or 0]]

    def close(self) -> None:
        """Closes the connection of the second reader."""
        self._guard.close()

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(self._topic, p, self._guard.next_of(p)) for p in self._ends])

    def _ends_in(self, messages: list[Message]) -> dict[int, int]:
        """Returns the offsets at which the consumer reported the end of a partition. Raises any other error."""
        reported: dict[int, int] = {}
        for message in messages:
            error, partition = message.error(), message.partition() or 0
            if error is None:
                continue
            if error.code() in NO_SUCH_OFFSET:
                raise RecordsRemoved(_removed(message))
            if error.code() != PARTITION_EOF:
                raise KafkaException(error)
            if partition in self._ends:
                reported[partition] = message.offset() or 0
        return reported


def _removed(message: Message) -> str:
    partition = f"{message.topic()}/{message.partition()}"
    return f"{partition} does not have offset {message.offset()} any more: it was removed while it was read; try again"


def _watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    return repeat_while_electing(lambda: consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_S), _TIMEOUT_S)


def _isolation(undecided: bool) -> Options:
    return {"isolation.level": "read_uncommitted" if undecided else "read_committed"}
