"""Reads single records by their offsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from triggers.client.connection import Options, unavailable
from triggers.client.topic_range import reader_options
from triggers.errors import BrokerUnavailable, EventsExpired
from triggers.settings import Settings

_TIMEOUT_S = 20.0
_AT_ONCE = 500
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

    Raises EventsExpired if one is not there any more, BrokerUnavailable when nothing arrives for 20 s.
    """
    consumer = Consumer(_options(settings))
    try:
        for partition, offsets in places.items():
            for near in _runs(offsets):
                consumer.assign([TopicPartition(topic, partition, near[0])])
                yield from _read_run(settings, consumer, near)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    finally:
        consumer.close()


def _runs(offsets: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for offset in offsets:
        if run and offset - run[-1] > _NEAR:
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


def _read_run(settings: Settings, consumer: Consumer, offsets: list[int]) -> Iterator[Message]:
    wanted = iter(offsets)
    offset = next(wanted, None)
    while offset is not None:
        for message in _some(settings, consumer):
            found = message.offset() or 0
            if offset is None or found < offset:
                continue
            if found > offset:
                raise EventsExpired(_expired(message, offset))
            yield message
            offset = next(wanted, None)


def _some(settings: Settings, consumer: Consumer) -> list[Message]:
    messages = consumer.consume(1, _TIMEOUT_S)
    if not messages:
        raise BrokerUnavailable(f"Kafka at {settings.brokers}: nothing arrives")
    messages += consumer.consume(_AT_ONCE, 0)
    for message in messages:
        if (error := message.error()) is not None:
            raise KafkaException(error)
    return messages


def _expired(message: Message, offset: int) -> str:
    place = f"{message.topic()}/{message.partition()}/{offset}"
    return f"the record at {place} is not there any more; the topic's retention must be longer than sessions live"


def _options(settings: Settings) -> Options:
    small = {"fetch.message.max.bytes": _FETCH_BYTES, "queued.max.messages.kbytes": 2 * _FETCH_BYTES // 1024}
    prompt = {"fetch.queue.backoff.ms": _BACKOFF_MS, "fetch.wait.max.ms": _FETCH_WAIT_MS}
    return reader_options(settings) | small | prompt | {"enable.partition.eof": False}
