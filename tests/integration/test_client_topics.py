"""Topics of a real Kafka are created and checked, and their lag is counted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from msgspec import structs
from tests.support.offsets import commit_offsets
from tests.support.program import environment
from tests.support.topic_reader import wait_until

from triggers.celery.ledger import Ledger
from triggers.client.consumer_lag import PartitionLag, measure_lag
from triggers.client.dead_letters import read_letters
from triggers.errors import BrokerUnavailable
from triggers.kafka.topics import DAY_MS, check_topics, create_topics
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


def alter(settings: Settings, topic: str, key: str, value: str) -> None:
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.incremental_alter_configs([resource])[resource].result(20)
    wait_until(lambda: admin.describe_configs([resource])[resource].result(20)[key].value == value, f"{key} is {value}")


def test_topics_are_made_once_and_are_right(settings: Settings) -> None:
    names = Topology(settings.namespace)

    assert sorted(create_topics(settings)) == sorted(
        [names.events, names.commands, names.dead_letters, names.changelog, names.rules, names.jobs]
    )
    assert create_topics(settings) == []
    assert check_topics(settings) == []


def test_missing_topics_are_reported_with_the_command_that_makes_them(settings: Settings) -> None:
    problems = check_topics(settings)

    assert len(problems) == 6
    assert {(problem.problem, problem.fix) for problem in problems} == {("is missing", "triggers topics create")}


@pytest.mark.parametrize(
    ("topic", "key", "value", "wanted"),
    [
        ("events", "cleanup.policy", "compact", "delete"),
        ("events", "retention.ms", str(DAY_MS), "at least 2592000000"),
        ("events", "max.message.bytes", "1000", "at least 1048588"),
        ("events", "message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("changelog", "cleanup.policy", "compact,delete", "compact"),
        ("dead_letters", "max.message.bytes", "1048588", "at least 4325424"),
    ],
)
def test_a_topic_that_would_lose_data_or_time_is_reported_with_the_fix(
    settings: Settings, topic: str, key: str, value: str, wanted: str
) -> None:
    create_topics(settings)
    name = getattr(Topology(settings.namespace), topic)
    alter(settings, name, key, value)

    [problem] = check_topics(settings)

    assert (problem.topic, problem.problem) == (name, f"has {key}={value}, but it must be {wanted}")
    assert f"--entity-name {name} --add-config {key}=" in problem.fix


def test_a_topic_that_an_unclean_leader_could_cut_is_reported_with_the_reason_and_the_fix(settings: Settings) -> None:
    create_topics(settings)
    events = Topology(settings.namespace).events
    alter(settings, events, "unclean.leader.election.enable", "true")

    [problem] = check_topics(settings)

    assert problem.topic == events
    assert "unclean.leader.election.enable=true, but it must be false: a broker that has not copied" in problem.problem
    assert problem.fix.endswith(f"--entity-name {events} --add-config unclean.leader.election.enable=false")


def test_topics_with_more_than_the_required_values_are_accepted(settings: Settings) -> None:
    create_topics(settings)
    alter(settings, Topology(settings.namespace).events, "retention.ms", "-1")
    alter(settings, Topology(settings.namespace).commands, "max.message.bytes", "9000000")
    alter(settings, Topology(settings.namespace).changelog, "segment.bytes", "2000000")

    assert check_topics(settings) == []


@pytest.mark.parametrize(("rows", "fix"), [(2, "--partitions 4"), (6, "new namespace")])
def test_a_changelog_with_another_number_of_partitions_is_reported(settings: Settings, rows: int, fix: str) -> None:
    changelog = Topology(settings.namespace).changelog
    create_topics(settings)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_topics([changelog])[changelog].result(20)
    made = NewTopic(changelog, rows, 1, config={"cleanup.policy": "compact", "max.message.bytes": "9000000"})
    wait_until(lambda: _is_made(admin, made), "the deletion is over")
    wait_until(lambda: _partitions(admin, changelog) == rows, "the broker knows the new topic")

    problems = [problem for problem in check_topics(settings) if "partitions" in problem.problem]

    assert [problem.topic for problem in problems] == [changelog]
    assert fix in problems[0].fix


def _partitions(admin: AdminClient, topic: str) -> int:
    found = admin.list_topics(timeout=10).topics.get(topic)
    return 0 if found is None else len(found.partitions)


def _is_made(admin: AdminClient, topic: NewTopic) -> bool:
    """Tries to make the topic, which is not possible while one of its name is being deleted."""
    try:
        admin.create_topics([topic])[topic.topic].result(20)
    except KafkaException:
        return False
    return True


def test_too_few_replicas_are_reported(settings: Settings) -> None:
    create_topics(settings)

    problems = check_topics(structs.replace(settings, replication_factor=3))

    assert {problem.problem for problem in problems} == {
        "has 1 replicas, not 3",
        "has min.insync.replicas=1, but it must be at least 2",
    }


def test_a_refusal_of_the_broker_is_reported_with_its_reason(settings: Settings) -> None:
    with pytest.raises(BrokerUnavailable, match=r"(?i)replication factor"):
        create_topics(structs.replace(settings, replication_factor=3))


def produce(settings: Settings, topic: str, transactions: int, each: int) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers, "transactional.id": f"{settings.namespace}-test"})
    producer.init_transactions(30)
    for _ in range(transactions):
        producer.begin_transaction()
        for _ in range(each):
            producer.produce(topic, b"x", b"s", partition=1)
        producer.commit_transaction(30)


def commit(settings: Settings, group: str, topic: str, offset: int, metadata: str = "") -> None:
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": group})
    commit_offsets(consumer, [TopicPartition(topic, 1, offset, metadata)])
    consumer.close()


def lag_of(rows: list[PartitionLag], topic: str) -> PartitionLag:
    return next(row for row in rows if (row.topic, row.partition) == (topic, 1))


def test_lag_counts_records_and_not_the_markers_of_transactions(settings: Settings) -> None:
    create_topics(settings)
    names = Topology(settings.namespace)
    produce(settings, names.commands, transactions=3, each=2)

    fresh = lag_of(measure_lag(settings), names.commands)
    commit(settings, names.executors, names.commands, 5)
    behind = lag_of(measure_lag(settings), names.commands)
    commit(settings, names.executors, names.commands, 8)
    done = lag_of(measure_lag(settings), names.commands)

    assert (fresh.committed, fresh.end, fresh.lag, fresh.records) == (0, 9, 9, 6)
    assert (behind.lag, behind.records) == (4, 2)
    assert (done.lag, done.records) == (1, 0)


def test_records_that_the_ledger_marks_as_finished_are_not_lag(settings: Settings) -> None:
    create_topics(settings)
    names = Topology(settings.namespace)
    produce(settings, names.commands, transactions=1, each=5)
    commit(settings, names.executors, names.commands, 0, metadata="3")

    rows = measure_lag(settings, finished=lambda offset, metadata: range(offset, offset + int(metadata)).__contains__)

    assert lag_of(rows, names.commands).records == 2


@pytest.mark.parametrize(("hidden", "unfinished"), [("", 1), ("celery", 5)])
def test_the_command_counts_finished_commands_only_where_celery_is_not_installed(
    settings: Settings, hidden: str, unfinished: int
) -> None:
    create_topics(settings)
    names = Topology(settings.namespace)
    produce(settings, names.commands, transactions=1, each=5)
    ledger = Ledger()
    for offset in range(5):
        assert ledger.accept(offset)
    for offset in range(1, 5):
        ledger.settle(offset)
    checkpoint = ledger.checkpoint()
    assert checkpoint is not None
    commit(settings, names.executors, names.commands, checkpoint.offset, checkpoint.metadata)

    program = f"import sys; sys.modules.update(dict.fromkeys({hidden.split()})); from triggers.cli import main; main()"
    printed = subprocess.run(
        [sys.executable, "-c", program, "topics", "lag", "--json"],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    records = {(row["topic"], row["partition"]): row["records"] for row in json.loads(printed)}
    assert records[names.commands, 1] == unfinished


def test_a_lag_too_long_to_count_is_bounded_by_its_offsets(settings: Settings) -> None:
    create_topics(settings)
    names = Topology(settings.namespace)
    produce(settings, names.events, transactions=1, each=5)

    row = lag_of(measure_lag(settings, count_up_to=3), names.events)

    assert (row.group, row.lag, row.records) == (names.agents, 6, None)


def test_a_missing_topic_is_not_reported_as_a_topic_without_lag(settings: Settings) -> None:
    with pytest.raises(BrokerUnavailable, match=r"has no topic .*\.events .*triggers topics create"):
        measure_lag(settings)
    with pytest.raises(BrokerUnavailable, match=r"has no topic .*\.dead-letters"):
        next(read_letters(settings))
