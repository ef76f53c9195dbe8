"""The options of librdkafka that every program has which uses it directly: those of our agent."""

from __future__ import annotations

Options = dict[str, str | int | float | bool]


def consumer_options(brokers: str, group: str) -> Options:
    """A member of the group that reads from the beginning."""
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
    """Batches and compression as our agent has them."""
    return {
        "bootstrap.servers": brokers,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "batch.size": 900_000,
        "queue.buffering.max.messages": 1_000_000,
    }
