"""librdkafka's options of the worker's clients, each with its reason."""

from __future__ import annotations

from triggers.kafka.reading_options import RELIABLE, Options
from triggers.settings import Settings
from triggers.topology import Topology

__all__ = ["Options"]

_HEARTBEATS = 12
"""In a session timeout: with its next one a worker learns that it may take over what another has left."""


def base_options(settings: Settings) -> Options:
    """What every client has. librdkafka's own lines, one per attempt to connect, are left to our callbacks to say."""
    return {"bootstrap.servers": settings.brokers, "log.connection.close": False, "log_level": 2}


def member_options(settings: Settings, client_id: str) -> Options:
    """The consumer of the events.

    librdkafka asks for more only a second after it had enough (`fetch.queue.backoff.ms`), however soon that is used up:
    no more than some 30,000 events a second would come.
    """
    return (
        base_options(settings)
        | RELIABLE
        | {
            "client.id": client_id,
            "group.id": Topology(settings.namespace).agents,
            "enable.auto.commit": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(settings.session_timeout_s * 1000),
            "heartbeat.interval.ms": int(settings.session_timeout_s * 1000 / _HEARTBEATS),
            "fetch.wait.max.ms": 50,
            "queued.min.messages": 20_000,
            "queued.max.messages.kbytes": 32_768,
            "fetch.queue.backoff.ms": 5,
        }
    )


def producer_options(settings: Settings, worker_id: str, smallest_limit: int, largest_limit: int) -> Options:
    """The transactional producer.

    A transaction begun right after the last one meets CONCURRENT_TRANSACTIONS while the broker writes its markers; with
    librdkafka's default back-off (100 ms, doubling to 1 s) that turns small transactions into seconds of latency. From
    2 ms on, one of two partitions takes 5.5 ms in a warm broker; from 5 ms on, 7.8; of eight partitions, 13 either way.
    """
    return base_options(settings) | {
        "client.id": worker_id,
        "transactional.id": f"{settings.namespace}-{worker_id}",
        "transaction.timeout.ms": int(settings.transaction_timeout_s * 1000),
        "partitioner": "murmur2_random",
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 20,
        "linger.ms": 0,
        "compression.type": "lz4",
        "batch.size": min(1_000_000, smallest_limit),
        "message.max.bytes": max(1_000_000, largest_limit + 1000),
        "queue.buffering.max.messages": 1_000_000,
    }


def restore_options(settings: Settings) -> Options:
    """The consumer of the changelog; it never commits and is in no group's membership.

    It fetches little ahead of what RocksDB takes: with up to 100,000 messages of each partition and 64 MB, a worker
    with 64 partitions had 1,320 MB after a restore instead of 480.
    """
    return (
        base_options(settings)
        | RELIABLE
        | {
            "group.id": f"{settings.namespace}.restore",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.min.messages": 20_000,
            "queued.max.messages.kbytes": 16_384,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
        }
    )


def second_restore_options(settings: Settings) -> Options:
    """The second reader of a restore, which keeps nothing but offsets."""
    return restore_options(settings) | {
        "group.id": f"{settings.namespace}.witness",
        "queued.min.messages": 10_000,
        "queued.max.messages.kbytes": 8_192,
    }


def witness_options(settings: Settings) -> Options:
    """The second reader of the events, which looks into gaps (`triggers.kafka.witness` adds what that takes)."""
    return base_options(settings) | {"group.id": f"{settings.namespace}.witness"}


def probe_options(settings: Settings) -> Options:
    """Asks for the end of a changelog partition, decided or not."""
    return base_options(settings) | {"group.id": f"{settings.namespace}.probe", "isolation.level": "read_uncommitted"}
