"""What the worker must know of the topics before it joins: they exist, they fit together, how large a record may be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    ResourceType,
)

from triggers.kafka.bounded_call import CallHung, call_within
from triggers.kafka.worker_options import base_options
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.topology import Topology

log = structlog.get_logger(__name__)

RECORD_OVERHEAD = 256
"""Bytes that a batch of one record needs besides key, value and headers, with room to spare."""
_LONGEST_PAUSE_S = 5.0
_TIMEOUT_S = 10.0
_HANGS_AFTER_S = 60.0
"""Longer than all answers together may take; librdkafka's time-outs go by a clock that may be set back."""


@dataclass(frozen=True, slots=True)
class InstalledTopics:
    """The installation's topics as the broker has them."""

    partitions: int
    """Of the events and of the changelog."""
    changelog_id: str
    """Kafka's id of the changelog: a topic made anew under the same name has another."""
    changelog_retention_s: float
    """For how long the changelog keeps deletions (`delete.retention.ms`)."""
    max_record_bytes: dict[str, int]
    """Topic -> bytes of key, value and headers that one record may have."""


class NotReady(Exception):
    """Not yet; the message says for what."""


async def wait_for_topics(settings: Settings) -> InstalledTopics:
    """The topics, once a broker answers and all of them exist; says meanwhile what it is waiting for.

    Raises Stop when they do not fit together.
    """
    pause, said = 0.2, ""
    while True:
        try:
            return await asyncio.to_thread(call_within, _HANGS_AFTER_S, lambda: _read_topics(settings))
        except (NotReady, CallHung) as waiting:
            reason = str(waiting) or f"a call to {settings.brokers} hangs"
            if reason != said:
                log.warning("waiting", reason=reason)
            said = reason
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _read_topics(settings: Settings) -> InstalledTopics:
    names = Topology(settings.namespace)
    admin = AdminClient(base_options(settings))
    try:
        partitions = _partitions(admin, required_topics(settings))
        configs = _configs(admin, sorted(partitions))
        described = admin.describe_topics(TopicCollection([names.changelog]), request_timeout=_TIMEOUT_S)
        changelog_id = str(described[names.changelog].result().topic_id)
    except KafkaException as error:
        raise NotReady(f"no broker answers at {settings.brokers}: {error.args[0].str()}") from error
    if partitions[names.events] != partitions[names.changelog]:
        raise Stop(ExitCode.MISFIT, _mismatch(names, partitions))
    return InstalledTopics(
        partitions=partitions[names.events],
        changelog_id=changelog_id,
        changelog_retention_s=int(configs[names.changelog]["delete.retention.ms"]) / 1000,
        max_record_bytes={topic: int(found["max.message.bytes"]) - RECORD_OVERHEAD for topic, found in configs.items()},
    )


def required_topics(settings: Settings) -> list[str]:
    """What must be there before a worker can work."""
    names = Topology(settings.namespace)
    feed = [names.decisions] if settings.decisions else []
    return [names.events, names.changelog, names.commands, names.dead_letters, *feed]


def _partitions(admin: AdminClient, needed: list[str]) -> dict[str, int]:
    there = admin.list_topics(timeout=_TIMEOUT_S).topics
    if missing := [topic for topic in needed if topic not in there or there[topic].error is not None]:
        raise NotReady(f"no topic {', '.join(missing)}: create the topics with `triggers topics create`")
    return {topic: len(there[topic].partitions) for topic in needed}


def _configs(admin: AdminClient, topics: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    found = admin.describe_configs(resources, request_timeout=_TIMEOUT_S)
    return {r.name: {name: entry.value for name, entry in f.result().items()} for r, f in found.items()}


def _mismatch(names: Topology, partitions: dict[str, int]) -> str:
    return (
        f"{names.events} has {partitions[names.events]} partitions and {names.changelog} has"
        f" {partitions[names.changelog]}: a session's rows live on the partition of its events, so both need the same"
        " number"
    )
