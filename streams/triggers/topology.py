"""The names of topics and consumer groups, and the partition of a session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mypy_extensions import i64

from triggers.core.commands import QUEUE_NAME
from triggers.errors import SettingsError

DEFAULT_QUEUE: Final = "@default"
"""Name in settings and messages for the queue of commands whose rules name none. No rule can name it."""

Queue = str | None
"""Name of a queue, or None for the queue of the commands whose rules name none."""

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9._-]{1,150}")
"""Kafka's characters for topics. Names of topics have at most 249, and those of queues are added."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The names of one installation. All of them begin with its namespace."""

    namespace: str

    def __post_init__(self) -> None:
        """Raises SettingsError for a namespace that no topic can have in its name."""
        check_namespace(self.namespace)

    @property
    def events(self) -> str:
        """Topic of the events, which are everything that changes a session. Its keys are session UIDs."""
        return f"{self.namespace}.events"

    @property
    def commands(self) -> str:
        """Topic of the commands whose rules name no queue. Its keys are session UIDs."""
        return f"{self.namespace}.commands"

    def commands_of(self, queue: Queue) -> str:
        """Returns the topic of the commands of a queue."""
        return self.commands if queue is None else f"{self.commands}.{queue}"

    def queue_of(self, topic: str) -> Queue:
        """Returns the queue that a topic belongs to, or None if it is not the topic of a named queue."""
        prefix, _, name = topic.rpartition(".")
        return name if prefix == self.commands and QUEUE_NAME.fullmatch(name) else None

    @property
    def rules(self) -> str:
        """Compacted topic of the published rules, from which publishers read. Workers read them from the events."""
        return f"{self.namespace}.rules"

    @property
    def dead_letters(self) -> str:
        """Topic of the records that could not be decoded or applied."""
        return f"{self.namespace}.dead-letters"

    @property
    def jobs(self) -> str:
        """Topic of the jobs with which operators repair many sessions. It has one partition."""
        return f"{self.namespace}.jobs"

    @property
    def decisions(self) -> str:
        """Topic of the decision feed, if it is enabled. Its keys are session UIDs."""
        return f"{self.namespace}.decisions"

    @property
    def table(self) -> str:
        """Name of the Faust table that contains the sessions."""
        return "sessions"

    @property
    def changelog(self) -> str:
        """Compacted topic of the table's rows. Its partition n contains the sessions of partition n of the events."""
        return f"{self.namespace}.sessions-changelog"

    @property
    def agents(self) -> str:
        """Consumer group of the workers."""
        return f"{self.namespace}.agents"

    @property
    def executors(self) -> str:
        """Consumer group of the Celery workers, or of the dispatcher, which read the default queue."""
        return f"{self.namespace}.executors"

    def executors_of(self, queue: Queue) -> str:
        """Returns the consumer group of those that read a queue. Each queue has its own, so each has its own lag."""
        return self.executors if queue is None else f"{self.executors}.{queue}"

    @property
    def reservation(self) -> str:
        """Transactional id with which the offsets of lost events are used up."""
        return f"{self.namespace}-reserve"

    def reader_group(self, name: str) -> str:
        """Returns the consumer group of readers of the decision feed, such as `hooks`."""
        return f"{self.namespace}.{name}"


def check_namespace(namespace: str) -> None:
    """Raises SettingsError for a namespace that no topic can have in its name."""
    if not _NAMESPACE.fullmatch(namespace):
        raise SettingsError(
            f"TRIGGERS_NAMESPACE is {namespace!r:.300}, but it must have 1 to 150 letters of A to Z, digits, '.', '_'"
            " and '-', such as shop-2"
        )


def parse_queues(names: Sequence[str]) -> tuple[Queue, ...]:
    """Returns the queues of these names without repetitions; no names stand for the default queue.

    Raises SettingsError for a name that no queue can have.
    """
    for name in names:
        if name != DEFAULT_QUEUE and not QUEUE_NAME.fullmatch(name):
            raise SettingsError(
                f"queue {name!r}: a name has at most 64 letters, digits, '-' and '_'; {DEFAULT_QUEUE!r} is the queue"
                " of the commands whose rules name none"
            )
    return tuple(dict.fromkeys(None if name == DEFAULT_QUEUE else name for name in names)) or (None,)


def queue_title(queue: Queue) -> str:
    """Returns the written name of a queue."""
    return DEFAULT_QUEUE if queue is None else queue


def partition_of(key: bytes, partitions: int) -> int:
    """Returns the partition that Java's default partitioner and librdkafka's `murmur2_random` choose for a key.

    Source: Apache Kafka, `Utils.murmur2` and `BuiltInPartitioner.partitionForKey`.
    """
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> i64:
    """Returns the hash of a key. No product reaches 2^63, so compiled 64-bit integers suffice.

    They take 0.2 µs; Python's integers take some 5 µs.
    """
    length: i64 = len(data)
    m: i64 = 0x5BD1E995
    h: i64 = 0x9747B28C ^ length
    at: i64 = 0
    while at + 4 <= length:
        word: i64 = data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24
        k: i64 = word * m & 0xFFFFFFFF
        h = (h * m ^ ((k ^ k >> 24) * m)) & 0xFFFFFFFF
        at += 4
    if at < length:
        last: i64 = 0
        for byte in reversed(data[at:]):
            last = last << 8 | byte
        h = (h ^ last) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15
