"""Waits for the topics and reads what a worker must know about them before it joins its group."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from triggers.errors import AccessDenied
from triggers.kafka.bounded_call import CallHung, call_within
from triggers.kafka.connection import admin_client
from triggers.kafka.connection_causes import ConnectionCauses
from triggers.kafka.denials import check_permissions
from triggers.kafka.permissions import Process
from triggers.kafka.topic_configs import read_topic_configs
from triggers.kafka.worker_options import CRITICAL_LOG
from triggers.process.exits import ExitCode, Stop
from triggers.redaction import without_secrets
from triggers.settings import Settings
from triggers.topology import Topology

log = structlog.get_logger(__name__)

RECORD_OVERHEAD = 256
"""Upper bound of the bytes that a batch of one record needs besides key, value and headers."""
_LONGEST_PAUSE_S = 5.0
_TIMEOUT_S = 10.0
_HANGS_AFTER_S = 60.0
"""Longer than all requests together may take. It is needed because librdkafka's timeouts use a clock that can be set
back."""


@dataclass(frozen=True, slots=True)
class InstalledTopics:
    """The properties of the installation's topics on the broker."""

    partitions: int
    """Number of partitions of the events topic and of the changelog."""
    changelog_id: str
    """Kafka's topic id of the changelog. A topic that was created again under the same name has another one."""
    changelog_retention_s: float
    """Seconds for which the changelog keeps tombstones (`delete.retention.ms`)."""
    max_record_bytes: dict[str, int]
    """Topic -> what `limit_of` returns."""

    def limit_of(self, topic: str) -> int:
        """Returns the maximum size of a record's key, value and headers together in bytes."""
        return self.max_record_bytes[topic]

    @property
    def smallest_limit(self) -> int:
        """Limit of the topic that accepts the least."""
        return min(self.max_record_bytes.values())

    @property
    def largest_limit(self) -> int:
        """Limit of the topic that accepts the most."""
        return max(self.max_record_bytes.values())


class NotReady(Exception):
    """The topics cannot be read yet. The message says what is missing."""


async def wait_for_topics(settings: Settings) -> InstalledTopics:
    """Returns the topics once a broker answers and all of them exist. Logs each new reason for waiting.

    Raises Stop if the topics do not fit together.
    """
    pause, logged = 0.2, ""
    while True:
        try:
            return await asyncio.to_thread(call_within, _HANGS_AFTER_S, lambda: _read_topics(settings))
        except (NotReady, CallHung) as waiting:
            reason = str(waiting) or f"a call to {settings.shown_brokers} hangs"
            if reason != logged:
                log.warning("waiting for the topics", reason=reason)
            logged = reason
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _read_topics(settings: Settings) -> InstalledTopics:
    names = Topology(settings.namespace)
    causes = ConnectionCauses(settings)
    admin = admin_client(settings, CRITICAL_LOG, causes.record)
    try:
        if settings.is_secured:
            check_permissions(settings, Process.AGENT)
        partitions = _partitions(admin, required_topics(settings))
        configs = read_topic_configs(admin, sorted(partitions), _TIMEOUT_S)
        described = admin.describe_topics(TopicCollection([names.changelog]), request_timeout=_TIMEOUT_S)
        changelog_id = str(described[names.changelog].result().topic_id)
    except KafkaException as error:
        admin.poll(0)  # so that it reports the causes to the callback
        raise NotReady(_unreachable(settings, causes, error)) from error
    except AccessDenied as error:
        raise NotReady(str(error)) from error
    if partitions[names.events] != partitions[names.changelog]:
        raise Stop(ExitCode.MISFIT, _mismatch(names, partitions))
    if (timestamps := configs[names.events]["message.timestamp.type"]) != "LogAppendTime":
        log.warning("timers follow the clocks of producers; see `triggers topics check`", timestamps=timestamps)
    return InstalledTopics(
        partitions=partitions[names.events],
        changelog_id=changelog_id,
        changelog_retention_s=int(configs[names.changelog]["delete.retention.ms"]) / 1000,
        max_record_bytes={topic: int(each["max.message.bytes"]) - RECORD_OVERHEAD for topic, each in configs.items()},
    )


def _unreachable(settings: Settings, causes: ConnectionCauses, error: KafkaException) -> str:
    cause = without_secrets(error.args[0].str())
    return str(causes.diagnosed_error() or f"no broker answers at {settings.shown_brokers}: {cause}")


def required_topics(settings: Settings) -> list[str]:
    """Returns the names of the topics that a worker needs."""
    names = Topology(settings.namespace)
    feed = [names.decisions] if settings.decisions else []
    return [names.events, names.changelog, names.commands, names.dead_letters, *feed]


def _partitions(admin: AdminClient, needed: list[str]) -> dict[str, int]:
    existing = admin.list_topics(timeout=_TIMEOUT_S).topics
    if missing := [topic for topic in needed if topic not in existing or existing[topic].error is not None]:
        raise NotReady(f"no topic {', '.join(missing)}: create the topics with `triggers topics create`")
    return {topic: len(existing[topic].partitions) for topic in needed}


def _mismatch(names: Topology, partitions: dict[str, int]) -> str:
    return (
        f"{names.events} has {partitions[names.events]} partitions and {names.changelog} has"
        f" {partitions[names.changelog]}: a session's rows are on the partition of its events, so both need the same"
        " number"
    )
