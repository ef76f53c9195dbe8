"""Checks before an installation is rebuilt: nobody works on it, and all of its records can be read."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaException

from triggers.errors import CallError
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.group_offsets import members_of_groups
from triggers.kafka.open_transactions import TransactionOpen, wait_until_transactions_end
from triggers.kafka.range_reads import watermarks
from triggers.kafka.topics import existing_partitions, existing_queues
from triggers.settings import Settings
from triggers.topology import Queue, Topology

_MARKERS_S: Final = 5.0
"""Limit for waiting until the markers of decided transactions are written, which takes milliseconds."""


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
    """Returns the first offset and the end of each partition. Blocks. Raises CallError for an open transaction.

    Waits for a moment, because the markers of a worker that has just stopped may be on their way.
    """
    partitions = partitions_of(settings, topic)
    try:
        wait_until_transactions_end(
            settings, admin_client(settings), [(topic, each) for each in partitions], _MARKERS_S
        )
    except TransactionOpen as error:
        raise CallError(
            f"{error}: start the worker that was killed and stop it, or wait for {settings.transaction_timeout_s:g} s"
        ) from error
    return watermarks(settings, topic, partitions)


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
