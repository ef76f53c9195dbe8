"""Reads single records by their offsets."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.client.connection import Options, unavailable
from triggers.client.topic_range import reader_options, witness_options
from triggers.errors import BrokerUnavailable, EventsExpired, RecordsSkipped
from triggers.kafka.continuity import Gap
from triggers.kafka.error_codes import NO_SUCH_OFFSET
from triggers.kafka.skip_guard import describe_skipped
from triggers.kafka.witness import Verdict, Witness
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_AT_ONCE = 500
_MAX_REFUTATIONS = 5
_NEAR = 2_000
"""A record so far ahead is sooner reached by reading on than by seeking."""
_FETCH_BYTES = 131_072
"""What a seek brings along: most of it belongs to other sessions."""
_BACKOFF_MS = 5
"""Of a fetch while the small queue is full; librdkafka's own second is longer than all the rest."""
_FETCH_WAIT_MS = 10
"""How long a fetch past the end, of what is read no more, holds up the next place on the same connection."""


def read_places(settings: Settings, topic: str, places: Mapping[int, Sequence[int]]) -> Iterator[Message]:
    """The records at these offsets of each partition, which must grow; in that order. One consumer reads all. Blocks.

    Raises EventsExpired if one is not there any more, RecordsSkipped if it is there and the Kafka client cannot be
    brought to deliver it, BrokerUnavailable when nothing arrives for 20 s.
    """
    consumer = Consumer(_options(settings))
    witness = Witness(witness_options(settings), topic)
    try:
        for partition, offsets in places.items():
            for near in _runs(offsets):
                yield from _read_run(_Places(settings, consumer, witness, topic, partition), near)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()
        witness.close()


def _runs(offsets: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for offset in offsets:
        if run and offset - run[-1] > _NEAR:
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


class _Places(NamedTuple):
    """A partition that is read in some places."""

    settings: Settings
    consumer: Consumer
    witness: Witness
    topic: str
    partition: int


def _read_run(places: _Places, offsets: list[int]) -> Iterator[Message]:
    wanted = deque(offsets)
    refuted = 0
    while wanted:
        places.consumer.assign([TopicPartition(places.topic, places.partition, wanted[0])])
        missed = yield from _read_on(places, wanted)
        refuted += 1
        if missed is not None:
            _check_missed(places, missed, refuted)


def _read_on(places: _Places, wanted: deque[int]) -> Generator[Message, None, Gap | None]:
    """What comes of the places, which are taken off the list; where one did not come, although others behind it did."""
    while wanted:
        for message in _some(places):
            found = message.offset() or 0
            if not wanted or found < wanted[0]:
                continue
            if found > wanted[0]:
                return Gap(places.partition, wanted[0], found)
            yield message
            wanted.popleft()
    return None


def _check_missed(places: _Places, missed: Gap, refuted: int) -> None:
    """A record that the client left out is asked for again; one that is gone is an error."""
    (finding,) = places.witness.prove([missed], _TIMEOUT_S)
    if finding.verdict is Verdict.UNPROVEN:
        raise BrokerUnavailable(f"Kafka at {places.settings.brokers}: {places.topic}, {finding}")
    if finding.verdict is not Verdict.SKIPPED:
        raise EventsExpired(_expired(places, missed.first_missing))
    if refuted > _MAX_REFUTATIONS:
        raise RecordsSkipped(describe_skipped(places.topic, places.partition, missed.first_missing))


def _some(places: _Places) -> list[Message]:
    messages = places.consumer.consume(1, _TIMEOUT_S)
    if not messages:
        raise BrokerUnavailable(f"Kafka at {places.settings.brokers}: nothing arrives")
    messages += places.consumer.consume(_AT_ONCE, 0)
    for message in messages:
        if (error := message.error()) is None:
            continue
        if error.code() in NO_SUCH_OFFSET:
            raise EventsExpired(_expired(places, message.offset() or 0))
        raise KafkaException(error)
    return messages


def _expired(places: _Places, offset: int) -> str:
    place = f"{places.topic}/{places.partition}/{offset}"
    return f"the record at {place} is not there any more; the topic's retention must be longer than sessions live"


def _options(settings: Settings) -> Options:
    small = {"fetch.message.max.bytes": _FETCH_BYTES, "queued.max.messages.kbytes": 2 * _FETCH_BYTES // 1024}
    prompt = {"fetch.queue.backoff.ms": _BACKOFF_MS, "fetch.wait.max.ms": _FETCH_WAIT_MS}
    return reader_options(settings) | small | prompt | {"enable.partition.eof": False}
