"""Names of topics and groups, and which partition a session lives on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from struct import Struct

from mypy_extensions import i64


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


def _murmur2(data: bytes) -> i64:
    """Every product is less than 2^63, so compiled numbers of 64 bits are enough: 0.5 µs, Python's own take some 5."""
    length = len(data)
    whole = length >> 2
    m: i64 = 0x5BD1E995
    h: i64 = 0x9747B28C ^ length
    word: i64
    for word in _words(whole).unpack_from(data):
        k: i64 = word * m & 0xFFFFFFFF
        h = (h * m ^ ((k ^ k >> 24) * m)) & 0xFFFFFFFF
    if rest := data[4 * whole :]:
        last: i64 = int.from_bytes(rest, "little")
        h = (h ^ last) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15


@cache
def _words(number: int) -> Struct:
    """Little-endian, of 32 bits; a key has at most 256."""
    return Struct(f"<{number}I")
