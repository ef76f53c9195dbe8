"""Reads what is in a topic now, from given offsets to its present end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from triggers.client.connection import Options, admin_client, connection_options, unavailable
from triggers.client.topics import existing_partitions
from triggers.errors import BrokerUnavailable, RecordsRemoved
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF
from triggers.kafka.reading_options import RELIABLE
from triggers.kafka.skip_guard import SkipGuard
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_AT_ONCE = 500
_TOGETHER = 20_000
"""Records whose gaps are proved together, if so many have been fetched: a proof takes some milliseconds."""
_ELECTING = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  # published so; the client has asked a broker that lags behind
}
"""A topic that was made a moment ago, or a broker that left."""
_FETCHED_AHEAD_KB = 16_384
_ELECTION_PAUSE_S = 0.1


def read_range(
    settings: Settings, topic: str, starts: Mapping[int, int], *, undecided: bool = False
) -> Iterator[Message]:
    """Committed records of the partitions in `starts`, from the offset given there to the end as of now: all of them.

    `undecided`: those too that no consumer of committed records can read yet, behind the begin of an open transaction.
    Blocks. Raises BrokerUnavailable when nothing arrives for 20 s, RecordsRemoved when the topic's retention was faster
    than the reading, RecordsSkipped when the Kafka client cannot be brought to deliver some.
    """
    consumer = Consumer(reader_options(settings) | _isolation(undecided))
    reading = _Reading(settings, consumer, topic)
    try:
        ends = {partition: _watermarks(consumer, TopicPartition(topic, partition))[1] for partition in starts}
        reading.start({p: (starts[p], end) for p, end in ends.items() if end > starts[p]})
        while reading.is_under_way:
            yield from reading.read_some()
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()
        reading.close()


def partition_starts(settings: Settings, topic: str) -> dict[int, int]:
    """Partition -> its first offset, of all partitions. Raises BrokerUnavailable, also if there is no such topic."""
    try:
        partitions = existing_partitions(settings, admin_client(settings), topic)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    return {partition: low for partition, (low, _) in watermarks(settings, topic, partitions).items()}


def watermarks(
    settings: Settings, topic: str, partitions: list[int], *, undecided: bool = False
) -> dict[int, tuple[int, int]]:
    """Partition -> (first offset, end of the committed records, or of all records). Raises BrokerUnavailable."""
    consumer = Consumer(reader_options(settings) | _isolation(undecided))
    try:
        return {partition: _watermarks(consumer, TopicPartition(topic, partition)) for partition in partitions}
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()


class _Reading:
    """Partitions on the way to their ends. A record is passed on when it is proved that none before it is missing."""

    def __init__(self, settings: Settings, consumer: Consumer, topic: str) -> None:
        self._settings = settings
        self._consumer = consumer
        self._topic = topic
        self._guard = SkipGuard(witness_options(settings), topic)
        self._ends: dict[int, int] = {}

    @property
    def is_under_way(self) -> bool:
        """Whether a partition has not reached its end."""
        return bool(self._ends)

    def start(self, ranges: Mapping[int, tuple[int, int]]) -> None:
        """Partition -> (first offset, the offset behind the last one)."""
        for partition, (first, end) in ranges.items():
            self._ends[partition] = end
            self._guard.start(partition, first)
        self._assign()

    def read_some(self) -> list[Message]:
        """Some records; blocks until there are any, or a partition has ended."""
        messages = self._consumer.consume(_AT_ONCE, 0.2) or self._consumer.consume(1, _TIMEOUT_S)
        if not messages:
            raise BrokerUnavailable(f"Kafka at {self._settings.brokers}: nothing arrives")
        messages += self._consumer.consume(_TOGETHER, 0)
        mine = [message for message in messages if (message.partition() or 0) in self._ends or message.error()]
        checked = self._guard.check([message for message in mine if self._is_record(message)])
        again = set(checked.read_again)
        for partition, position in self._ends_in(mine).items():
            if partition not in again and position > self._guard.next_of(partition):
                again |= {partition} if self._guard.reach(partition, position) is not None else set()
        found = [m for m in checked.messages if (m.offset() or 0) < self._ends[m.partition() or 0]]
        self._ends = {p: end for p, end in self._ends.items() if self._guard.next_of(p) < end}
        if again:
            self._assign()
        return found

    def close(self) -> None:
        """Give up the witness."""
        self._guard.close()

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(self._topic, p, self._guard.next_of(p)) for p in self._ends])

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() in NO_SUCH_OFFSET:
            raise RecordsRemoved(_removed(message))
        if error.code() != PARTITION_EOF:
            raise KafkaException(error)
        return False

    def _ends_in(self, messages: list[Message]) -> dict[int, int]:
        """Partition -> where its reader says that it ends."""
        return {
            m.partition() or 0: m.offset() or 0 for m in messages if m.error() and (m.partition() or 0) in self._ends
        }


def _removed(message: Message) -> str:
    place = f"{message.topic()}/{message.partition()}"
    return f"{place} does not have offset {message.offset()} any more: it was removed while it was read; ask again"


def _watermarks(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                raise
            time.sleep(_ELECTION_PAUSE_S)
        else:
            return low, high


def _isolation(undecided: bool) -> Options:
    return {"isolation.level": "read_uncommitted" if undecided else "read_committed"}


def reader_options(settings: Settings) -> Options:
    """Options of a consumer that reads committed records and never commits."""
    return (
        connection_options(settings)
        | RELIABLE
        | {
            "group.id": f"{settings.namespace}.readers",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "queued.max.messages.kbytes": _FETCHED_AHEAD_KB,
        }
    )


def witness_options(settings: Settings) -> Options:
    """Options of the second reader, which proves gaps between offsets harmless."""
    return connection_options(settings) | {"group.id": f"{settings.namespace}.witness"}
