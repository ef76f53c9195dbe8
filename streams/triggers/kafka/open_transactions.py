"""Waits until consumers of committed records can read what is on a topic.

A transaction is committed once its coordinator has logged the outcome (KafkaApis.handleEndTxnRequest answers then).
The coordinator writes the markers to the partitions afterwards, and consumers of committed records read up to the last
stable offset, which is before the first record of any transaction without a marker. So records can be committed and
unreadable, for milliseconds because their own marker is on its way, or for as long as another producer's transaction
that began earlier on the partition is open.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from triggers.errors import BrokerUnavailable, TopicMissing
from triggers.kafka.connection import unavailable
from triggers.kafka.error_codes import NO_TOPIC, is_transient
from triggers.kafka.log_bounds import Partition, read_ends, read_stable_ends
from triggers.settings import Settings

_SHORTEST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.1
_SHORTEST_TIMEOUT_S: Final = 1.0


class TransactionOpen(BrokerUnavailable):
    """An open transaction keeps later records of the partition from being read."""


def wait_until_readable(
    settings: Settings, admin: AdminClient, ends: Mapping[Partition, int], patience_s: float
) -> None:
    """Blocks until consumers of committed records can read every record of each partition before the offset in `ends`.

    One request to each broker asks for all of its partitions; it is repeated until the last stable offsets are there.
    Raises TransactionOpen after `patience_s`, BrokerUnavailable, and TopicMissing.
    """
    remaining, pause = dict(ends), _SHORTEST_PAUSE_S
    deadline = time.monotonic() + patience_s
    while remaining:
        try:
            stable_ends = read_stable_ends(admin, remaining, _timeout_s(deadline))
        except KafkaException as error:
            if time.monotonic() > deadline or not is_transient(error.args[0]) or error.args[0].code() in NO_TOPIC:
                raise _error_for(settings, error, remaining) from error
        else:
            remaining = {partition: end for partition, end in remaining.items() if stable_ends[partition] < end}
            if remaining and time.monotonic() > deadline:
                raise TransactionOpen(_describe_open(remaining, patience_s))
        if remaining:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


def wait_until_transactions_end(
    settings: Settings, admin: AdminClient, partitions: Iterable[Partition], patience_s: float
) -> None:
    """Blocks until all transactions are over that are open on these partitions now. Raises like `wait_until_readable`.

    Then everything that was committed before the call can be read.
    """
    wanted = list(partitions)
    try:
        ends = read_ends(admin, wanted)
    except KafkaException as error:
        raise _error_for(settings, error, wanted) from error
    wait_until_readable(settings, admin, ends, patience_s)


def _timeout_s(deadline: float) -> float:
    return max(deadline - time.monotonic(), _SHORTEST_TIMEOUT_S)


def _error_for(settings: Settings, error: KafkaException, partitions: Iterable[Partition]) -> BrokerUnavailable:
    if error.args[0].code() in NO_TOPIC:
        topics = ", ".join(sorted({topic for topic, _ in partitions}))
        return TopicMissing(
            f"Kafka at {settings.shown_brokers} lacks a topic among {topics}: run `triggers topics create`"
        )
    return unavailable(settings, error)


def _describe_open(remaining: Mapping[Partition, int], patience_s: float) -> str:
    (topic, partition), end = next(iter(remaining.items()))
    more = f" (and of {len(remaining) - 1} more partitions)" if len(remaining) > 1 else ""
    return (
        f"the records of {topic}/{partition} before offset {end}{more} cannot be read, because a transaction has been"
        f" open there for {patience_s:g} s"
    )
