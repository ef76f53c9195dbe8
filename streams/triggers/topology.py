"""Names of topics and groups, and which partition a session lives on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topology:
    """The names of one installation."""

    namespace: str

    @property
    def events(self) -> str:
        """Everything that changes a session; key = session UID."""
        return f"{self.namespace}.events"

    @property
    def commands(self) -> str:
        """Tasks to run; key = session UID."""
        return f"{self.namespace}.commands"

    @property
    def dead_letters(self) -> str:
        """What could not be decoded or applied."""
        return f"{self.namespace}.dead-letters"

    @property
    def decisions(self) -> str:
        """What each event did, when the decision feed is on; key = session UID."""
        return f"{self.namespace}.decisions"

    @property
    def table(self) -> str:
        """Name of the Faust table."""
        return "sessions"

    @property
    def changelog(self) -> str:
        """The table's rows, compacted; partition n belongs to partition n of the events."""
        return f"{self.namespace}.sessions-changelog"

    @property
    def agents(self) -> str:
        """Consumer group of the workers."""
        return f"{self.namespace}.agents"

    @property
    def executors(self) -> str:
        """Consumer group of whatever runs the commands: Celery workers or the dispatcher."""
        return f"{self.namespace}.executors"

    def reader_group(self, name: str) -> str:
        """Consumer group of readers of the decision feed; `hooks` for one."""
        return f"{self.namespace}.{name}"


def partition_of(key: bytes, partitions: int) -> int:
    """Partition of a key, as Java's default partitioner and librdkafka's `murmur2_random` choose it.

    Source: Apache Kafka, `Utils.murmur2` and `BuiltInPartitioner.partitionForKey`.
    """
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    length, m = len(data), 0x5BD1E995
    h = 0x9747B28C ^ length
    aligned = length & ~3
    for i in range(0, aligned, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & 0xFFFFFFFF
        h = (h * m ^ ((k ^ k >> 24) * m)) & 0xFFFFFFFF
    if rest := data[aligned:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15
