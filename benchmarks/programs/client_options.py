"""Our agent's options of librdkafka, for the programs that use it directly."""

from __future__ import annotations

Options = dict[str, str | int | float | bool]


def consumer_options(brokers: str, group: str) -> Options:
    """Returns the options of a member of the group that reads from the beginning."""
    return {
        "bootstrap.servers": brokers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "fetch.wait.max.ms": 50,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 32_768,
        "fetch.queue.backoff.ms": 5,
    }


def producer_options(brokers: str) -> Options:
    """Returns the options of a producer with our agent's batching and compression."""
    return {
        "bootstrap.servers": brokers,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "batch.size": 900_000,
        "queue.buffering.max.messages": 1_000_000,
    }
