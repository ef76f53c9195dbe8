"""Plans, creates and checks the topics of an installation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic, TopicMetadata

from triggers.errors import TopicMissing
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.reachability import missing_topics
from triggers.kafka.record_limits import dead_letter_bytes, derived_bytes, event_bytes
from triggers.kafka.topic_configs import read_topic_configs
from triggers.kafka.topic_leaders import wait_for_leaders
from triggers.settings import Settings
from triggers.topology import Queue, Topology, parse_queues

DAY_MS = 86_400_000
DEFAULT_RETENTION_DAYS = 30
_DEAD_LETTER_DAYS = 90
_JOB_DAYS = 90
_TIMEOUT_S = 20.0
_UNLIMITED = -1
_AT_LEAST = {"max.message.bytes", "retention.ms", "min.insync.replicas", "delete.retention.ms"}
"""Configuration that may exceed the plan. The rest must be equal to it, except for `_ADVICE`, which is not checked."""
_UNCLEAN = "unclean.leader.election.enable"
_WHY_CLEAN = (
    "a broker that has not copied everything could become the leader, and records that were acknowledged and applied"
    " would be gone from the topic"
)
_ADVICE = {"segment.bytes", "min.cleanable.dirty.ratio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """The partitions, replicas and configuration that a topic should have."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    queue: Queue = None
    """Queue whose commands are on the topic, if the queue has a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem of a topic, and the command that fixes it."""

    topic: str
    problem: str
    fix: str


def plan_topics(settings: Settings, retention_days: int = DEFAULT_RETENTION_DAYS) -> list[TopicPlan]:
    """Returns the plans of all topics, with those of the queues that the settings name.

    Events and commands are kept for `retention_days`. This must be longer than any session lives. Raises SettingsError
    for the name of a queue.
    """
    names = Topology(settings.namespace)
    configs = {
        names.events: _deleting(retention_days) | _size(event_bytes(settings)) | _BROKER_TIME,
        names.commands: _deleting(retention_days) | _size(derived_bytes(settings)),
        names.dead_letters: _deleting(_DEAD_LETTER_DAYS) | _size(dead_letter_bytes(settings)),
        names.changelog: _CHANGELOG | _size(derived_bytes(settings)),
        names.rules: {"cleanup.policy": "compact"} | _size(event_bytes(settings)),
        names.jobs: _deleting(_JOB_DAYS) | _size(event_bytes(settings)),
    }
    if settings.decisions:
        configs[names.decisions] = dict(configs[names.commands])
    named = [queue for queue in parse_queues(settings.queue_names) if queue is not None]
    return [
        *(_plan(settings, name, config) for name, config in configs.items()),
        *plan_queues(settings, named, retention_days),
    ]


def plan_queues(
    settings: Settings, queues: Iterable[Queue], retention_days: int | None = DEFAULT_RETENTION_DAYS
) -> list[TopicPlan]:
    """Returns the plans of the topics of these queues. Without `retention_days`, each may have its own retention."""
    names = Topology(settings.namespace)
    config = _deleting(retention_days) | _size(derived_bytes(settings))
    return [_plan(settings, names.commands_of(queue), config, queue) for queue in queues]


def _plan(settings: Settings, name: str, config: dict[str, str], queue: Queue = None) -> TopicPlan:
    names = Topology(settings.namespace)
    return TopicPlan(
        name=name,
        partitions=1 if name in {names.rules, names.jobs} else settings.partitions,
        replication_factor=settings.replication_factor,
        config=config | _durability(settings),
        queue=queue,
    )


def create_topics(
    settings: Settings,
    retention_days: int = DEFAULT_RETENTION_DAYS,
    queues: Iterable[Queue] | None = None,
    configs: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> list[str]:
    """Creates the topics that are missing and returns their names. Existing topics are not changed.

    With `queues`, only the topics of these queues are created. `configs` overrides settings by topic. If the events or
    the changelog is missing, it gets as many partitions as the other has. Blocks until every partition has a leader.
    Raises BrokerUnavailable, also with the brokers' reason if they refuse to create a topic.
    """
    admin = admin_client(settings)  # the futures do not keep it alive
    chosen = plan_topics(settings, retention_days) if queues is None else plan_queues(settings, queues, retention_days)
    fitting = _fitting_partitions(settings, admin)
    plans = [
        NewTopic(
            each.name,
            fitting.get(each.name, each.partitions),
            each.replication_factor,
            config={**each.config, **configs.get(each.name, {})},
        )
        for each in chosen
    ]
    futures = admin.create_topics(plans, operation_timeout=_TIMEOUT_S, request_timeout=_TIMEOUT_S)
    created = []
    for name, future in futures.items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise unavailable(settings, error, f"Create on topic {name}") from error
    wait_for_leaders(settings, admin, [plan.topic for plan in plans])
    return created


def count_partitions(settings: Settings, topics: Iterable[str]) -> dict[str, int]:
    """Returns the number of partitions of each of these topics that exists. Blocks. Raises BrokerUnavailable."""
    admin = admin_client(settings)
    try:
        listed = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        raise unavailable(settings, error) from error
    return {name: len(listed[name].partitions) for name in topics if name in listed}


def _fitting_partitions(settings: Settings, admin: AdminClient) -> dict[str, int]:
    """Returns the number of partitions that the changelog must have if the events exist, or the other way round."""
    names = Topology(settings.namespace)
    try:
        listed = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        raise unavailable(settings, error) from error
    pairs = ((names.events, names.changelog), (names.changelog, names.events))
    return {missing: len(listed[there].partitions) for there, missing in pairs if there in listed}


def check_topics(
    settings: Settings, retention_days: int = DEFAULT_RETENTION_DAYS, queues: Sequence[Queue] | None = None
) -> list[Problem]:
    """Returns all problems of the topics; the list is empty if there are none.

    The topics of all queues are checked, but each may have a retention of its own. With `queues`, only the topics of
    these are checked. Blocks. Raises BrokerUnavailable.
    """
    admin = admin_client(settings)
    try:
        listed = admin.list_topics(timeout=_TIMEOUT_S).topics
        existing = {name: topic for name, topic in listed.items() if not topic.error}
        plans = _plans_to_check(settings, retention_days, queues, existing)
        configs = read_topic_configs(admin, [plan.name for plan in plans if plan.name in existing], _TIMEOUT_S)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    problems = [
        problem for plan in plans for problem in _check(plan, existing.get(plan.name), configs.get(plan.name, {}))
    ]
    return problems if queues is not None else [*problems, *_check_together(Topology(settings.namespace), existing)]


def _plans_to_check(
    settings: Settings, retention_days: int, queues: Sequence[Queue] | None, existing: Iterable[str]
) -> list[TopicPlan]:
    if queues is not None:
        return plan_queues(settings, queues, retention_days)
    known = {*queues_among(settings, existing), *parse_queues(settings.queue_names)} - {None}
    base = plan_topics(msgspec.structs.replace(settings, queues=""), retention_days)
    return [*base, *plan_queues(settings, sorted(filter(None, known)), None)]


def queues_among(settings: Settings, topics: Iterable[str]) -> list[str]:
    """Returns the names of the queues that have one of these topics, in alphabetical order."""
    names = Topology(settings.namespace)
    return sorted(queue for topic in topics if (queue := names.queue_of(topic)) is not None)


def existing_queues(settings: Settings, admin: AdminClient) -> list[str]:
    """Returns the names of the queues that have a topic, in alphabetical order. Blocks. Raises KafkaException."""
    return queues_among(settings, admin.list_topics(timeout=_TIMEOUT_S).topics)


def partition_count(client: AdminClient | Consumer, topic: str, timeout_s: float = _TIMEOUT_S) -> int:
    """Returns the number of partitions of a topic, or 0 if it does not exist. Blocks.

    Raises KafkaException, also if brokers cannot describe the topic: it has no leader, or access to it is denied.
    """
    metadata = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if metadata.error is None:
        return len(metadata.partitions)
    if metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return 0
    raise KafkaException(metadata.error)


def existing_partitions(settings: Settings, client: AdminClient | Consumer, topic: str) -> list[int]:
    """Returns the partitions of a topic. A missing topic is an error, because it must not be taken for an empty one.

    Blocks. Raises TopicMissing, and KafkaException.
    """
    if count := partition_count(client, topic):
        return list(range(count))
    raise TopicMissing(missing_topics(settings, [topic]))


_BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}
"""Sessions and their timers count from the time at which the broker appended a record, not from a producer's clock."""

_CHANGELOG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(64 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": str(7 * DAY_MS),
}
"""Small segments are compacted early, so that a restore reads little. Deletions stay readable for a week, so a worker
that was stopped for less than that still reads them."""


def _deleting(retention_days: int | None) -> dict[str, str]:
    """Returns the configuration of a topic that deletes old records. None leaves its retention as it is."""
    retention = {} if retention_days is None else {"retention.ms": str(retention_days * DAY_MS)}
    return {"cleanup.policy": "delete"} | retention


def _size(limit: int) -> dict[str, str]:
    return {"max.message.bytes": str(limit)}


def _durability(settings: Settings) -> dict[str, str]:
    """Returns the configuration with which, given three replicas, an acknowledged record is on at least two."""
    return {"min.insync.replicas": "2"} if settings.replication_factor >= 3 else {}


def _check(plan: TopicPlan, topic: TopicMetadata | None, config: Mapping[str, str]) -> Iterator[Problem]:
    if topic is None:
        fix = "triggers topics create" if plan.queue is None else f"triggers topics create --queue {plan.queue}"
        yield Problem(topic=plan.name, problem="is missing", fix=fix)
        return
    replicas = min((len(partition.replicas) for partition in topic.partitions.values()), default=0)
    if replicas < plan.replication_factor:
        problem = f"has {replicas} replicas, not {plan.replication_factor}"
        yield Problem(topic=plan.name, problem=problem, fix="kafka-reassign-partitions.sh (more replicas)")
    for key, wanted in plan.config.items():
        if key not in _ADVICE and not _suffices(key, config.get(key, ""), wanted):
            yield _misconfigured(plan.name, key, config.get(key, ""), wanted)
    if config.get(_UNCLEAN) == "true":  # the default is false, and brokers of some vendors let nobody set it
        unclean = _misconfigured(plan.name, _UNCLEAN, "true", "false")
        yield replace(unclean, problem=f"{unclean.problem}: {_WHY_CLEAN}")


def _suffices(key: str, actual: str, wanted: str) -> bool:
    if key not in _AT_LEAST or actual == wanted:
        return actual == wanted
    return actual == str(_UNLIMITED) or (actual.isdigit() and int(actual) >= int(wanted))


def _misconfigured(topic: str, key: str, actual: str, wanted: str) -> Problem:
    least = "at least " if key in _AT_LEAST else ""
    fix = f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {key}={wanted}"
    return Problem(topic=topic, problem=f"has {key}={actual or 'unset'}, but it must be {least}{wanted}", fix=fix)


def _check_together(names: Topology, existing: Mapping[str, TopicMetadata]) -> Iterator[Problem]:
    """Checks that events and changelog have equally many partitions, because rows are on their events' partition."""
    if names.events not in existing or names.changelog not in existing:
        return
    events, rows = len(existing[names.events].partitions), len(existing[names.changelog].partitions)
    if rows == events:
        return
    fix = f"kafka-topics.sh --alter --topic {names.changelog} --partitions {events}"
    if rows > events:
        fix = "start a new namespace: with more partitions of events, sessions would be separated from their rows"
    yield Problem(topic=names.changelog, problem=f"has {rows} partitions, but {names.events} has {events}", fix=fix)
