"""Sessions that are open already: their rows on the changelog, as a worker would have left them, for one to recover."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.micro.stored_session import UID, stored_session
from benchmarks.programs.client_options import producer_options
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

_SHARED = b"c"
"""Rows of a partition, not of a session, start with it."""

Row = tuple[bytes, bytes]


def seed(settings: Settings, keys: Iterable[bytes], pages: int) -> None:
    """Write the rows of these sessions, of so many pages each, every one on its partition. Raises RuntimeError.

    A session is the copy of one: its key must be as long as that one's, because keys of rows carry the length.
    """
    producer = Producer(producer_options(settings.brokers) | {"enable.idempotence": True, "linger.ms": 20})
    topic = Topology(settings.namespace).changelog
    template = list(stored_session(pages).rows.items())
    own = [row for row in template if not row[0].startswith(_SHARED)]
    for partition in range(settings.partitions):
        _produce(producer, topic, partition, [row for row in template if row[0].startswith(_SHARED)])
    for uid in keys:
        rows = [(key.replace(UID.encode(), uid), row) for key, row in own]
        _produce(producer, topic, partition_of(uid, settings.partitions), rows)
    if left := producer.flush(120):
        raise RuntimeError(f"{left} rows were not acknowledged")
    _commit_nothing_read(settings)


def _commit_nothing_read(settings: Settings) -> None:
    """The group's offsets, without which a worker refuses to read events beside rows that may contain them."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    offsets = [TopicPartition(names.events, partition, 0) for partition in range(settings.partitions)]
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


def _produce(producer: Producer, topic: str, partition: int, rows: Iterable[Row]) -> None:
    for key, row in rows:
        while True:
            try:
                producer.produce(topic, row, key, partition)
            except BufferError:
                producer.poll(0.05)
            else:
                break
