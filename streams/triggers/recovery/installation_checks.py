"""Checks before an installation is rebuilt: nobody works on it, and all of its records can be read."""

from __future__ import annotations

from confluent_kafka import KafkaException

from triggers.errors import CallError
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.group_offsets import members_of_groups
from triggers.kafka.range_reads import watermarks
from triggers.kafka.topics import existing_partitions, existing_queues
from triggers.settings import Settings
from triggers.topology import Queue, Topology


class StillRunning(CallError):
    """Processes of the installation are running; stop them."""


def check_nobody_works(settings: Settings, *, executors: bool) -> None:
    """Raises StillRunning if workers are members of their group, or, with `executors`, Celery workers. Blocks."""
    names = Topology(settings.namespace)
    queues: list[Queue] = [None, *_queues(settings)] if executors else []
    if members := members_of_groups(settings, [names.agents, *map(names.executors_of, queues)]):
        kinds = "workers, Celery workers and dispatchers" if executors else "workers"
        raise StillRunning(
            f"{', '.join(dict.fromkeys(members))} still belong to {settings.namespace!r}: stop all {kinds}, wait for"
            " the session timeout if one was killed, and repeat the command"
        )


def read_bounds(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """Returns the first offset and the end of each partition. Blocks. Raises CallError for an open transaction."""
    partitions = partitions_of(settings, topic)
    bounds = watermarks(settings, topic, partitions)
    ends = watermarks(settings, topic, partitions, undecided=True)
    if undecided := [partition for partition in partitions if bounds[partition] != ends[partition]]:
        raise CallError(
            f"{topic} has an open transaction on partition {undecided[0]}, so it cannot be read to its end: start the"
            f" worker that was killed and stop it, or wait for {settings.transaction_timeout_s:g} s"
        )
    return bounds


def partitions_of(settings: Settings, topic: str) -> list[int]:
    """Returns the partitions of a topic. Blocks. Raises TopicMissing and BrokerUnavailable."""
    try:
        return existing_partitions(settings, admin_client(settings), topic)
    except KafkaException as error:
        raise unavailable(settings, error) from error


def _queues(settings: Settings) -> list[str]:
    try:
        return existing_queues(settings, admin_client(settings))
    except KafkaException as error:
        raise unavailable(settings, error) from error
