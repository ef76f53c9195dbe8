"""Writes the rows of open sessions to the changelog, from which a worker recovers them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.micro.stored_session import UID, stored_session
from benchmarks.programs.client_options import producer_options
from triggers.agent.turns.index_reach import IndexReach
from triggers.agent.turns.overlay import Overlays
from triggers.core.state.rows import MemoryRows
from triggers.queries.index_rows import COUNTS, REACH, Reach, decode_counts, encode_row
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

_SHARED = b"c"
"""First byte of the keys of rows that belong to a partition rather than a session."""

Row = tuple[bytes, bytes]


def seed(settings: Settings, keys: Iterable[bytes], pages: int) -> None:
    """Writes the rows of sessions with a number of pages each, on their partitions. Raises RuntimeError.

    All sessions are copies of one. Their keys must have its length, because the keys of rows contain the length.
    """
    producer = Producer(producer_options(settings.brokers) | {"enable.idempotence": True, "linger.ms": 20})
    topic = Topology(settings.namespace).changelog
    template = list(stored_session(pages).rows.items())
    session_rows = [row for row in template if not row[0].startswith(_SHARED)]
    for partition in range(settings.partitions):
        produce_rows(producer, topic, partition, [row for row in template if row[0].startswith(_SHARED)])
    sessions: Counter[int] = Counter()
    for uid in keys:
        rows = [(key.replace(UID.encode(), uid), row) for key, row in session_rows]
        partition = partition_of(uid, settings.partitions)
        produce_rows(producer, topic, partition, rows)
        sessions[partition] += 1
    for partition in range(settings.partitions):
        if sessions[partition]:
            produce_rows(producer, topic, partition, _index_of(MemoryRows(template), sessions[partition]))
    if remaining := producer.flush(120):
        raise RuntimeError(f"{remaining} rows were not acknowledged")
    commit_nothing_read(settings)


def _index_of(session: MemoryRows, sessions: int) -> list[Row]:
    """Returns the index of a partition with so many copies of a session, none of whose instances is failed."""
    index = IndexReach(Overlays(lambda _: session)).extend(0, is_idle=False).changes
    counts = {key: row for key, row in index.items() if row is not None and key.startswith(COUNTS)}
    multiplied = {
        key: encode_row({status: number * sessions for status, number in decode_counts(row).items()})
        for key, row in counts.items()
    }
    return [*multiplied.items(), (REACH, encode_row(Reach(until=None)))]


def commit_nothing_read(settings: Settings) -> None:
    """Commits the group's offsets at 0. Without offsets, a worker refuses to read events that its rows may contain."""
    names = Topology(settings.namespace)
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    offsets = [TopicPartition(names.events, partition, 0) for partition in range(settings.partitions)]
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


def produce_rows(producer: Producer, topic: str, partition: int, rows: Iterable[Row]) -> None:
    """Queues rows of a partition. Waits while the producer's queue is full."""
    for key, row in rows:
        while True:
            try:
                producer.produce(topic, row, key, partition)
            except BufferError:
                producer.poll(0.05)
            else:
                break
