"""An installation is copied to another namespace, with another number of partitions, from a mirror of its topics."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from msgspec import structs
from tests.support.fold_oracle import assert_equals_fold, changelog_rows, differing_rows, fold_events
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import topics_without_leader
from tests.support.worked_installation import fire_more, views, work
from tests.support.worker_process import WorkerProcess

from triggers.client import SessionReader
from triggers.client.session_events import SessionEvents
from triggers.codec import decode_command
from triggers.kafka.group_offsets import members_of_groups, write_group_offsets
from triggers.kafka.topics import check_topics
from triggers.recovery.installation_checks import read_bounds
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


def elsewhere(settings: Settings, partitions: int) -> Settings:
    return structs.replace(settings, namespace=f"{settings.namespace}-new", partitions=partitions)


def copy(source: Settings, target: Settings, *options: str) -> Any:  # noqa: ANN401  # JSON
    return run_json(target, "copy", source.namespace, "--partitions", str(target.partitions), *options)


def commands(settings: Settings) -> set[tuple[str, str]]:
    """Returns session and instance of all commands on the topic."""
    messages = read_topic(settings, Topology(settings.namespace).commands)
    return {(command.session, command.instance) for command in map(decode_command, map(Message.value, messages))}


def in_flight(views: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (uid, name)
        for uid, facts in views.items()
        for name, (status, _) in facts["instances"].items()
        if status in {"scheduled", "running"}
    }


def assert_rows_equal_fold(settings: Settings) -> None:
    rows = changelog_rows(read_topic(settings, Topology(settings.namespace).changelog))
    assert differing_rows(rows, fold_events(settings).rows) == []


def processed_views(settings: Settings, name: str) -> dict[str, Any]:
    """Lets a worker process what is left, and returns all sessions."""
    with WorkerProcess(settings, name) as worker:
        wait_until_processed(settings)
        found = views(settings)
        assert worker.terminate() == 0
    return found


@pytest.fixture
def source(settings: Settings) -> Settings:
    work(settings)
    fire_more(settings)
    return settings


def test_a_copy_with_other_partitions_has_the_same_sessions_and_only_unfinished_commands(source: Settings) -> None:
    target = elsewhere(source, 6)

    copied = copy(source, target)

    assert check_topics(target) == []
    assert run_json(target, "rebuild", "--check")["different"] == 0
    after = processed_views(target, "new")
    before = processed_views(source, "old")
    assert after == before
    assert len(before) == 17, "of the eighteen sessions, one was deleted"
    assert commands(target) == in_flight(before)
    assert (copied["versions"], copied["refused"], copied["late_events"]) == (2, 1, 2)
    assert copied["commands"] > 10
    assert_rows_equal_fold(target)


def test_a_copy_goes_on_explains_and_is_rebuilt_like_any_installation(source: Settings) -> None:
    target = elsewhere(source, 3)
    copy(source, target)

    with WorkerProcess(target, "new") as worker:
        worker.wait_ready()
        application = Application(target)
        application.fire("payer", {"trigger": "paid", "kwargs": {"customer": "customer", "n": 3}})
        for session, instance in sorted(commands(target)):
            application.fire(session, {"type": "finished", "instance": instance})
        application.flush()
        wait_until_processed(target)
        forwarded = [each.name for each in SessionReader(target).read("customer").instances]
        events = SessionEvents(target).read_session("order-1")
        assert worker.terminate() == 0

    assert forwarded == ["t_note#0", "t_note#1", "t_note#2"]
    assert len(events) > 4
    assert_rows_equal_fold(target)
    assert run_json(target, "rebuild", "--check")["different"] == 0


def mirror(source: Settings, namespace: str) -> Settings:
    """Copies the topics as MirrorMaker does: committed records with their times and partitions, not their offsets."""
    target = structs.replace(source, namespace=namespace)
    before, after = Topology(source.namespace), Topology(namespace)
    admin = AdminClient({"bootstrap.servers": source.brokers})
    pairs = [
        (before.events, after.events, source.partitions, "delete"),
        (before.changelog, after.changelog, source.partitions, "compact"),
        (before.commands, after.commands, source.partitions, "delete"),
        (before.dead_letters, after.dead_letters, 1, "delete"),
        (before.rules, after.rules, 1, "compact"),
    ]
    topics = [NewTopic(to, partitions, 1, config={"cleanup.policy": policy}) for _, to, partitions, policy in pairs]
    for future in admin.create_topics(topics).values():
        future.result(30)
    counts = {to: partitions for _, to, partitions, _ in pairs}
    wait_until(lambda: topics_without_leader(admin, counts) == [], "every partition has a leader")
    producer = Producer({"bootstrap.servers": source.brokers, "enable.idempotence": True})
    for topic, to, _, _ in pairs:
        for message in read_topic(source, topic):
            producer.produce(
                to,
                message.value(),
                message.key(),
                message.partition() or 0,
                timestamp=message.timestamp()[1],
                headers=message.headers(),
            )
    assert producer.flush(60) == 0
    return target


@pytest.fixture
def mirrored(source: Settings) -> Settings:
    return mirror(source, f"{source.namespace}-mirror")


def start_in_vain(settings: Settings) -> str:
    """Starts a worker that must refuse to work, waits until its group has forgotten it, and returns its log."""
    with WorkerProcess(settings, "naive") as worker:
        assert worker.join() == 78
        agents = Topology(settings.namespace).agents
        wait_until(lambda: members_of_groups(settings, [agents]) == [], "the session timeout is over")
        return worker.log_text()


def test_workers_refuse_a_mirror_whatever_offsets_their_group_has_there(mirrored: Settings) -> None:
    names = Topology(mirrored.namespace)

    without = start_in_vain(mirrored)
    ends = {partition: end for partition, (_, end) in read_bounds(mirrored, names.events).items()}
    write_group_offsets(mirrored, names.agents, names.events, {p: end // 2 for p, end in ends.items()})
    translated = start_in_vain(mirrored)

    assert "has no committed offset" in without
    assert "was applied before: session" in translated
    assert "`triggers copy`" in translated


def test_a_copy_of_a_mirror_has_the_same_sessions(source: Settings, mirrored: Settings) -> None:
    target = elsewhere(source, 4)
    taken_for_an_original = run(target, "copy", mirrored.namespace, "--partitions", "4", "--yes")
    target = structs.replace(target, namespace=f"{target.namespace}-2")

    copied = copy(mirrored, target, "--mirrored")

    assert taken_for_an_original.returncode == 2
    assert "add --mirrored" in taken_for_an_original.stderr
    after = processed_views(target, "new")
    before = processed_views(source, "old")
    assert after == before
    assert commands(target) == in_flight(before)
    assert (copied["late_events"], copied["dead_letters_before"], copied["open_letters"]) == (2, 1, 2)


def test_a_copy_is_refused_while_something_runs_or_if_its_topics_exist(settings: Settings) -> None:
    work(settings)
    target = elsewhere(settings, 2)
    with WorkerProcess(settings, "w1") as worker:
        worker.wait_ready()
        running = run(target, "copy", settings.namespace, "--yes")
        worker.terminate()
    copy(settings, target)

    again = run(target, "copy", settings.namespace, "--yes")
    onto_itself = run(settings, "copy", settings.namespace, "--yes")

    assert (running.returncode, again.returncode, onto_itself.returncode) == (2, 2, 2)
    assert "w1" in running.stderr
    assert "a copy needs a namespace without topics" in again.stderr
    assert f"--namespace {settings.namespace}-2 copy" in onto_itself.stderr
    assert_equals_fold(settings)
