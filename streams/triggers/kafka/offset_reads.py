"""Reads single records of a topic by their offsets."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.errors import BrokerUnavailable, EventsExpired, RecordsSkipped
from triggers.kafka.connection import Options, unavailable
from triggers.kafka.error_codes import NO_SUCH_OFFSET, PARTITION_EOF
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import GapState
from triggers.kafka.reading_options import gap_reader_options, reader_options
from triggers.kafka.skip_guard import describe_skipped
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_MAX_MESSAGES = 500
_MAX_REFUTATIONS = 5
_MAX_GAP = 2_000
"""Number of offsets up to which reading on is faster than seeking."""
_FETCH_BYTES = 131_072
"""Size of a fetch after a seek. It is small, because most of its records belong to other sessions."""
_BACKOFF_MS = 5
"""Pause between fetches while the small queue is full. The default of librdkafka, a second, would dominate the time."""
_FETCH_WAIT_MS = 10
"""Maximum wait of a fetch at the end of a partition. It delays the next fetch on the same connection."""


def read_offsets(
    settings: Settings, topic: str, offsets_by_partition: Mapping[int, Sequence[int]]
) -> Iterator[Message]:
    """Yields the records at the given offsets of each partition, which must be ascending, in that order.

    One consumer reads all of them. Blocks. Raises EventsExpired if the topic does not have a record any more,
    RecordsSkipped if the Kafka client repeatedly skips a record that is on the topic, and BrokerUnavailable if nothing
    arrives for 20 s.
    """
    consumer = Consumer(_options(settings))
    gap_reader = GapReader(lambda: gap_reader_options(settings), topic)
    try:
        for partition, offsets in offsets_by_partition.items():
            for run in _runs(offsets):
                yield from _read_run(_Clients(settings, consumer, gap_reader, topic, partition), run)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()
        gap_reader.close()


def _runs(offsets: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for offset in offsets:
        if run and offset - run[-1] > _MAX_GAP:
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


class _Clients(NamedTuple):
    """The clients that read offsets of one partition."""

    settings: Settings
    consumer: Consumer
    gap_reader: GapReader
    topic: str
    partition: int


def _read_run(clients: _Clients, offsets: list[int]) -> Iterator[Message]:
    wanted = deque(offsets)
    refuted = 0
    while wanted:
        clients.consumer.assign([TopicPartition(clients.topic, clients.partition, wanted[0])])
        missed = yield from _read_on(clients, wanted)
        refuted += 1
        if missed is not None:
            _check_missed(clients, missed, refuted)


def _read_on(clients: _Clients, wanted: deque[int]) -> Generator[Message, None, Gap | None]:
    """Yields the wanted records and removes their offsets from `wanted`.

    Returns the gap if a later record, or the end of the partition behind it, arrived before the next wanted one, or
    None if all were read.
    """
    while wanted:
        for message in _consume(clients):
            offset = message.offset() or 0
            if not wanted or offset < wanted[0]:
                continue
            if offset > wanted[0]:
                return Gap(clients.partition, wanted[0], offset, ends_at_record=message.error() is None)
            if message.error() is not None:
                continue  # the record may still be undecided: the partition ends directly before it
            yield message
            wanted.popleft()
    return None


def _check_missed(clients: _Clients, missed: Gap, refuted: int) -> None:
    """Returns if the client skipped the record, which is then read again. Raises an error if the record is gone."""
    (examined,) = clients.gap_reader.prove([missed], _TIMEOUT_S)
    if examined.state is GapState.UNPROVEN:
        raise BrokerUnavailable(f"Kafka at {clients.settings.shown_brokers}: {clients.topic}, {examined}")
    if examined.state is not GapState.SKIPPED:
        raise EventsExpired(_describe_expired(clients, missed.first_missing))
    if refuted > _MAX_REFUTATIONS:
        raise RecordsSkipped(describe_skipped(clients.topic, clients.partition, missed.first_missing))


def _consume(clients: _Clients) -> list[Message]:
    """Returns messages, of which one whose error is PARTITION_EOF has the offset at which the partition ends."""
    messages = clients.consumer.consume(1, _TIMEOUT_S)
    if not messages:
        raise BrokerUnavailable(f"Kafka at {clients.settings.shown_brokers}: nothing arrives")
    messages += clients.consumer.consume(_MAX_MESSAGES, 0)
    for message in messages:
        if (error := message.error()) is None or error.code() == PARTITION_EOF:
            continue
        if error.code() in NO_SUCH_OFFSET:
            raise EventsExpired(_describe_expired(clients, message.offset() or 0))
        raise KafkaException(error)
    return messages


def _describe_expired(clients: _Clients, offset: int) -> str:
    record = f"{clients.topic}/{clients.partition}/{offset}"
    return f"the record at {record} was removed: the topic's retention must be longer than any session lives"


def _options(settings: Settings) -> Options:
    small: Options = {"fetch.message.max.bytes": _FETCH_BYTES, "queued.max.messages.kbytes": 2 * _FETCH_BYTES // 1024}
    prompt: Options = {"fetch.queue.backoff.ms": _BACKOFF_MS, "fetch.wait.max.ms": _FETCH_WAIT_MS}
    return reader_options(settings, small | prompt)
