"""Waits until new topics can be used: a broker confirms a topic before all brokers know it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from triggers.errors import BrokerUnavailable
from triggers.kafka.connection import unavailable
from triggers.settings import Settings

_TIMEOUT_S: Final = 20.0
_PAUSE_S: Final = 0.1


def wait_for_leaders(settings: Settings, admin: AdminClient, topics: Sequence[str]) -> None:
    """Blocks until every partition of the topics has a leader. Raises BrokerUnavailable after a while."""
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while without := _without_leaders(admin, topics):
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"Kafka at {settings.shown_brokers}: no leader of {', '.join(without)} is elected"
                )
            time.sleep(_PAUSE_S)
    except KafkaException as error:
        raise unavailable(settings, error) from error


def _without_leaders(admin: AdminClient, topics: Sequence[str]) -> list[str]:
    known = admin.list_topics(timeout=_TIMEOUT_S).topics
    return [
        topic
        for topic in topics
        if topic not in known
        or not known[topic].partitions
        or any(partition.leader < 0 for partition in known[topic].partitions.values())
    ]
