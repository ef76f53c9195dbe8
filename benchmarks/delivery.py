"""Publishes the input and times the output by the broker's clock, as a read-committed consumer sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from benchmarks.processes import Running
from benchmarks.programs.client_options import producer_options
from benchmarks.workload import Published
from triggers.dev.temporary_namespace import temporary_namespace
from triggers.kafka.connection import admin_client
from triggers.settings import Settings
from triggers.topology import Topology

_STALLED_S = 240.0
_POLL_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class Delivered:
    """Times at which the counted records reached the broker, in order, in seconds since 1970."""

    times: list[float]
    others: int
    """Number of records that were delivered but not counted."""


@contextmanager
def create_installation(brokers: str, partitions: int = 8) -> Iterator[Settings]:
    """Creates topics for a run and deletes them at the end. The broker stamps events and commands with its clock."""
    with temporary_namespace(Settings(brokers=brokers, partitions=partitions), "bench") as settings:
        names = Topology(settings.namespace)
        admin = admin_client(settings)  # the futures do not keep the client alive
        resources = [_stamped(topic) for topic in (names.events, names.commands)]
        for future in admin.incremental_alter_configs(resources).values():
            future.result(timeout=30)
        yield settings


def _stamped(topic: str) -> ConfigResource:
    change = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])


def publish(settings: Settings, events: Iterable[Published]) -> None:
    """Publishes the events and waits for their acknowledgement. They are uncompressed, which every client can read.

    Raises RuntimeError.
    """
    options = {"enable.idempotence": True, "linger.ms": 20, "compression.type": "none"}
    producer = Producer(producer_options(settings.brokers) | options)
    topic = Topology(settings.namespace).events
    for key, value in events:
        _produce(producer, topic, key, value)
    if remaining := producer.flush(60):
        raise RuntimeError(f"{remaining} events were not acknowledged")


def _produce(producer: Producer, topic: str, key: bytes, value: bytes) -> None:
    while True:
        try:
            return producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.05)


def await_records(
    settings: Settings, topic: str, program: Running, expected: int, counted: Callable[[bytes], bool] = bool
) -> Delivered:
    """Waits for a number of counted records on a topic and returns the times of their arrival.

    It polls the topic's size and reads nothing until the end, so that it does not compete with what is measured. Raises
    RuntimeError if the program ends or makes no progress.
    """
    reader = Consumer(reader_options(settings))
    try:
        _await_size(reader, topic, settings.partitions, program, expected)
        reader.assign([TopicPartition(topic, partition, 0) for partition in range(settings.partitions)])
        return _read(reader, program, expected, counted)
    finally:
        reader.close()


def reader_options(settings: Settings) -> dict[str, str | int | float | bool]:
    """Returns the options of a read-committed consumer without a group."""
    return {
        "bootstrap.servers": settings.brokers,
        "group.id": f"{settings.namespace}-reader",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }


def size_of(settings: Settings, topic: str) -> int:
    """Returns the number of records on a topic, including a transaction marker for each partition of a batch."""
    reader = Consumer(reader_options(settings))
    try:
        return sum(_end(reader, TopicPartition(topic, partition)) for partition in range(settings.partitions))
    finally:
        reader.close()


def _await_size(reader: Consumer, topic: str, partitions: int, program: Running, expected: int) -> None:
    size, grown_at = 0, time.monotonic()
    while size < expected:
        time.sleep(_POLL_INTERVAL_S)
        program.check()
        now = sum(_end(reader, TopicPartition(topic, partition)) for partition in range(partitions))
        if now > size:
            size, grown_at = now, time.monotonic()
        _must_move(program, grown_at, size, expected)


def _end(reader: Consumer, partition: TopicPartition) -> int:
    """Returns a partition's end offset, or 0 if the broker does not know a new topic yet or is too busy."""
    try:
        end: int = reader.get_watermark_offsets(partition, timeout=30)[1]
    except KafkaException:
        return 0
    return end


def _read(reader: Consumer, program: Running, expected: int, counted: Callable[[bytes], bool]) -> Delivered:
    times: list[float] = []
    others, grown_at = 0, time.monotonic()
    while len(times) < expected:
        for message in reader.consume(10_000, 0.2):
            grown_at = time.monotonic()
            if counted(_value(message)):
                times.append(message.timestamp()[1] / 1000)
            else:
                others += 1
        program.check()
        _must_move(program, grown_at, len(times), expected)
    return Delivered(sorted(times), others)


def _value(message: Message) -> bytes:
    if (error := message.error()) and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # in fact public
        raise KafkaException(error)
    return message.value() or b""


def _must_move(program: Running, grown_at: float, have: int, expected: int) -> None:
    if time.monotonic() - grown_at > _STALLED_S:
        log = program.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{program.name} stands still after {have} of {expected} records:\n{log}")
