"""Options of the worker's Kafka clients, with the reasons for the unusual ones."""

from __future__ import annotations

from typing import Final

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, client_options
from triggers.kafka.reading_options import RELIABLE
from triggers.settings import Settings
from triggers.topology import Topology

_HEARTBEATS = 12
"""Heartbeats per session timeout. A worker learns with its next heartbeat that it may take over partitions."""


CRITICAL_LOG: Final[Options] = {"log_level": 2}
"""The option of all clients of a worker. librdkafka logs critical errors only; callbacks log others."""


def consumer_options(settings: Settings, ours: Options) -> Options:
    """Returns the options of a consumer of a worker."""
    return client_options(settings, ClientKind.CONSUMER, CRITICAL_LOG | ours)


def member_options(settings: Settings, client_id: str) -> Options:
    """Returns the options of the consumer of the events.

    With librdkafka's default `fetch.queue.backoff.ms`, a second, the consumer would fetch again only a second after its
    queue was full. This would limit a worker to about 30,000 events per second.
    """
    return consumer_options(
        settings,
        RELIABLE
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
        },
    )


def producer_options(settings: Settings, worker_id: str, smallest_limit: int, largest_limit: int) -> Options:
    """Returns the options of the transactional producer.

    If a transaction begins while the broker still writes the markers of the last one, the broker answers
    CONCURRENT_TRANSACTIONS and the producer retries. With librdkafka's default backoff (100 ms, doubling to 1 s), small
    transactions would take seconds. With a backoff of 2 ms, a transaction on two partitions takes 5.5 ms on a warm
    broker; with 5 ms it takes 7.8 ms.
    """
    ours: Options = {
        "client.id": worker_id,
        "transactional.id": f"{settings.namespace}-{worker_id}",
        "transaction.timeout.ms": int(settings.transaction_timeout_s * 1000),
        "partitioner": "murmur2_random",
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 20,
        "linger.ms": 0,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
    }
    return client_options(
        settings, ClientKind.PRODUCER, CRITICAL_LOG | ours | size_options(smallest_limit, largest_limit)
    )


def size_options(smallest_limit: int, largest_limit: int) -> Options:
    """Returns the options of a producer that follow from the limits of the topics that accept the least and the most.

    A topic's limit is that of a batch, so a batch of small records must be within it, too.
    """
    return {"batch.size": min(1_000_000, smallest_limit), "message.max.bytes": max(1_000_000, largest_limit + 1000)}


def restore_options(settings: Settings, more: Options | None = None) -> Options:
    """Returns the options of the consumer of the changelog, with `more`. It never commits and joins no group.

    Its queue is small: with librdkafka's defaults (100,000 messages per partition, 64 MB), a worker with 64 partitions
    used 1,320 MB of memory after a restore instead of 480 MB.
    """
    return consumer_options(
        settings,
        RELIABLE
        | {
            "group.id": f"{settings.namespace}.restore",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.min.messages": 20_000,
            "queued.max.messages.kbytes": 16_384,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
        }
        | (more or {}),
    )


def second_restore_options(settings: Settings) -> Options:
    """Returns the options of the second reader of a restore, which keeps only offsets."""
    small: Options = {"queued.min.messages": 10_000, "queued.max.messages.kbytes": 8_192}
    return restore_options(settings, small | {"group.id": f"{settings.namespace}.gap-reader"})


def probe_options(settings: Settings) -> Options:
    """Returns the options of the consumer that reads the end of a changelog partition, including open transactions."""
    return consumer_options(
        settings, {"group.id": f"{settings.namespace}.probe", "isolation.level": "read_uncommitted"}
    )
