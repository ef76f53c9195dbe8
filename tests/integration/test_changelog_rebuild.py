"""A changelog that was lost or damaged is written again from the events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.support.fold_oracle import assert_equals_fold
from tests.support.program import run, run_json
from tests.support.questionnaires import Application, interleaved
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers import publish_rules
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

PICK: dict[str, object] = {"after": [], "andEvery": "itemPicked", "run": "app.pick"}
CIRCLE: dict[str, object] = {
    "$edition": 2,
    "t_a": {"after": ["never"], "run": "app.a"},
    "$forward": [{"on": "go", "to": "'circle'"}],
}


@pytest.fixture
def worked(settings: Settings) -> Settings:
    """An installation whose workers have applied events of every kind and are stopped now."""
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
        application = Application(settings)
        for uid, event in interleaved(sessions=12, pages=3):
            application.fire(uid, event)
        application.fire("order-1", {"trigger": "itemPicked"})
        application.fire("circle", {"configuration": CIRCLE})
        application.fire("circle", {"trigger": "go"})
        application.fire("s0", {"type": "skip", "instance": "t_importSubject#0"})
        misplaced = (partition_of(b"s1", settings.partitions) + 1) % settings.partitions
        application.fire("s1", {"trigger": "pageReceived"}, partition=misplaced)
        application.fire("s2", {"type": "delete"})
        application.flush()
        letters = Topology(settings.namespace).dead_letters
        wait_until(lambda: len(read_topic(settings, letters)) == 2, "a refused event and the end of the circle")
        wait_until_processed(settings)
        assert worker.terminate() == 0
    assert_equals_fold(settings)
    return settings


def lose_changelog(settings: Settings) -> None:
    """Deletes the topic and creates it again, as somebody does who wants to get rid of an error."""
    topic = Topology(settings.namespace).changelog
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=30).topics, "the topic is gone")
    done = run(settings, "topics", "create", "--replication-factor", "1")
    assert done.returncode == 0, done.stderr
    assert topic in done.stdout


def test_a_worker_does_not_begin_with_an_empty_changelog_and_keeps_its_old_files(worked: Settings) -> None:
    lose_changelog(worked)

    with WorkerProcess(worked, "w0") as worker:
        assert worker.join() == 78

        assert "run `triggers rebuild`" in worker.log_text()
        assert list(Path(worked.data_dir).rglob("*.broken"))


def test_a_lost_changelog_is_rebuilt_and_the_sessions_go_on(worked: Settings) -> None:
    commands = Topology(worked.namespace).commands
    issued = len(read_topic(worked, commands))
    lose_changelog(worked)

    rebuilt = run_json(worked, "rebuild")

    assert rebuilt["different"] == sum(each["rows"] for each in rebuilt["partitions"]) > 50
    assert_equals_fold(worked)
    assert len(read_topic(worked, commands)) == issued, "no command is issued again"
    with WorkerProcess(worked, "w1") as worker:
        worker.wait_ready()
        application = Application(worked)
        application.fire("order-1", {"trigger": "itemPicked"})
        application.fire("s3", {"trigger": "pageReceived", "kwargs": {"page": 99}})
        application.flush()
        wait_until_processed(worked)
    assert_equals_fold(worked)
    assert len(read_topic(worked, commands)) == issued + 2


def test_damaged_rows_are_found_and_corrected_and_nothing_else_is_written(worked: Settings) -> None:
    names = Topology(worked.namespace)
    rows = read_topic(worked, names.changelog)
    assert run_json(worked, "rebuild", "--check")["different"] == 0
    producer = Producer({"bootstrap.servers": worked.brokers})
    header = next(row for row in rows if (row.key() or b"") == b"ss3")
    producer.produce(names.changelog, b"damaged", header.key(), header.partition() or 0)
    producer.produce(names.changelog, b"", b"sghost", 0)
    producer.flush(30)

    checked = run(worked, "rebuild", "--check", "--json")
    rebuilt = run_json(worked, "rebuild")

    assert checked.returncode == 1
    assert json.loads(checked.stdout)["different"] == 2
    assert (rebuilt["different"], rebuilt["written"]) == (2, True)
    assert len(read_topic(worked, names.changelog)) == len(rows) + 4
    assert run_json(worked, "rebuild", "--check")["different"] == 0
    assert_equals_fold(worked)


def test_a_rebuild_is_refused_while_workers_run_and_if_events_are_gone(worked: Settings) -> None:
    with WorkerProcess(worked, "w0") as worker:
        worker.wait_ready()
        refused = run(worked, "rebuild")
        worker.terminate()
    admin = AdminClient({"bootstrap.servers": worked.brokers})
    partition = partition_of(b"s0", worked.partitions)
    remove_first_events(admin, worked, partition)
    incomplete = run(worked, "rebuild", "--check")
    accepted = run(worked, "rebuild", "--check", "--accept-removed", "--json")

    assert refused.returncode == 2
    assert "w0" in refused.stderr
    assert "stop all workers" in refused.stderr
    assert incomplete.returncode == 2
    assert f"{Topology(worked.namespace).events}/{partition} begins at offset {FIRST_KEPT}" in incomplete.stderr
    assert accepted.returncode == 1, "sessions that have lost their beginning differ"
    assert json.loads(accepted.stdout)["partitions"][partition]["removed_before"] == FIRST_KEPT


FIRST_KEPT = 3
"""Offset behind the published rules, the marker of their transaction, and the first event of a session."""


def remove_first_events(admin: AdminClient, settings: Settings, partition: int) -> None:
    """Removes records, as retention does. The rules come from their own topic, but the event is lost."""
    place = TopicPartition(Topology(settings.namespace).events, partition, FIRST_KEPT)
    admin.delete_records([place])[place].result(30)


def test_workers_that_never_ran_have_nothing_to_rebuild(settings: Settings) -> None:
    create_topics(settings)

    rebuilt = run_json(settings, "rebuild", "--check")

    assert rebuilt["different"] == 0
