"""Where the logs of partitions begin and end. One request for each broker asks for all of its partitions."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final, NamedTuple

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

from triggers.kafka.repeated_calls import repeat_while_electing

_TIMEOUT_S: Final = 20.0

_EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # confluent-kafka has no type for it
_LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # as above

Partition = tuple[str, int]
"""The name of a topic and the number of a partition."""


class LogBounds(NamedTuple):
    """Where the log of a partition begins and ends."""

    first: int
    """The first offset."""
    stable_end: int
    """The end of the records that consumers of committed records can read: Kafka's last stable offset."""
    end: int
    """The offset that the next record will have."""


def read_log_bounds(admin: AdminClient, partitions: Iterable[Partition]) -> dict[Partition, LogBounds]:
    """Returns the bounds of each partition. Blocks. Raises KafkaException."""
    wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
    return repeat_while_electing(lambda: _ask(admin, wanted), _TIMEOUT_S) if wanted else {}


def read_ends(
    admin: AdminClient, partitions: Iterable[Partition], timeout_s: float = _TIMEOUT_S
) -> dict[Partition, int]:
    """Returns the end of each partition, undecided records included. Blocks. Raises KafkaException."""
    return _latest(admin, partitions, IsolationLevel.READ_UNCOMMITTED, timeout_s)


def read_stable_ends(
    admin: AdminClient, partitions: Iterable[Partition], timeout_s: float = _TIMEOUT_S
) -> dict[Partition, int]:
    """Returns the last stable offset of each partition. Blocks. Raises KafkaException."""
    return _latest(admin, partitions, IsolationLevel.READ_COMMITTED, timeout_s)


def _latest(
    admin: AdminClient, partitions: Iterable[Partition], isolation: IsolationLevel, timeout_s: float
) -> dict[Partition, int]:
    wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
    if not wanted:
        return {}

    def ask() -> dict[Partition, int]:
        asked = _request(admin, wanted, _LATEST, isolation, timeout_s)
        return {partition: future.result().offset for partition, future in asked.items()}

    return repeat_while_electing(ask, timeout_s)


def _ask(admin: AdminClient, wanted: list[TopicPartition]) -> dict[Partition, LogBounds]:
    """Asks for the three offsets at the same time."""
    firsts = _request(admin, wanted, _EARLIEST, IsolationLevel.READ_COMMITTED)
    stable_ends = _request(admin, wanted, _LATEST, IsolationLevel.READ_COMMITTED)
    ends = _request(admin, wanted, _LATEST, IsolationLevel.READ_UNCOMMITTED)
    return {each: LogBounds(*(asked[each].result().offset for asked in (firsts, stable_ends, ends))) for each in firsts}


def _request(
    admin: AdminClient,
    wanted: list[TopicPartition],
    offset: OffsetSpec,
    isolation: IsolationLevel,
    timeout_s: float = _TIMEOUT_S,
) -> dict[Partition, Future[ListOffsetsResultInfo]]:
    requested = dict.fromkeys(wanted, offset)
    futures = admin.list_offsets(requested, isolation_level=isolation, request_timeout=timeout_s)
    return {(each.topic, each.partition): future for each, future in futures.items()}
