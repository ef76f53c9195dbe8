"""Disasters, as docs/operations/drills.md describes them. The others are in the tests of `rebuild` and `copy`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from msgspec import structs
from tests.support.fold_oracle import assert_equals_fold
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worked_installation import fire_more, views, work
from tests.support.worker_process import WorkerProcess

from triggers.client import SessionReader
from triggers.client.session_events import SessionEvents
from triggers.codec import decode_command
from triggers.dev.broker import new_broker
from triggers.errors import EventsExpired
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


def test_a_cluster_is_restored_from_a_snapshot_and_agents_that_were_ahead_of_it_fit(
    settings: Settings, tmp_path: Path
) -> None:
    first, snapshot = tmp_path / "first", tmp_path / "snapshot"
    broker = new_broker(data=first)
    broker.start()
    try:
        before = structs.replace(settings, brokers=broker.address)
        work(before)
        broker.kill()
        shutil.copytree(first, snapshot)
        broker.start()
        fire_more(before)
        with WorkerProcess(before, "ahead") as worker:
            wait_until_processed(before)
            assert worker.terminate() == 0
        applied = len(read_topic(before, Topology(before.namespace).events))
    finally:
        broker.stop()

    restored = new_broker(data=snapshot)
    restored.start()
    try:
        after = structs.replace(before, brokers=restored.address)
        assert run_json(after, "rebuild", "--check")["different"] == 0
        with WorkerProcess(after, "ahead") as worker:
            assert worker.join() == 71, "its files have rows that the changelog lost"
            worker.start()
            fire_more(after)
            wait_until_processed(after)
            assert worker.terminate() == 0
        lost = applied - len(read_topic(after, Topology(after.namespace).events))
        assert_equals_fold(after)
    finally:
        restored.stop()
    assert lost == 0, "what was fired after the snapshot was lost, and is there again because it was fired again"


def recreate_events(settings: Settings) -> None:
    topic = Topology(settings.namespace).events
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=30).topics, "the topic is gone")
    done = run(settings, "topics", "create", "--replication-factor", "1")
    assert topic in done.stdout, done.stderr


def test_after_the_loss_of_the_events_the_sessions_continue_after_the_lost_offsets(settings: Settings) -> None:
    work(settings)
    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        before = views(settings)
        assert worker.terminate() == 0
    recreate_events(settings)
    with WorkerProcess(settings, "w1") as refusing:
        assert refusing.join() == 78
        assert "run `triggers reserve-offsets`" in refusing.log_text()
    wait_until(lambda: run(settings, "reserve-offsets").returncode == 0, "the group has forgotten the worker")

    with WorkerProcess(settings, "w2") as worker:
        wait_until_processed(settings)
        after = views(settings)
        with pytest.raises(EventsExpired):
            SessionEvents(settings).read_session("s5")
        fire_more(settings)
        application = Application(settings)
        for session, instance in issued(settings):
            application.fire(session, {"type": "finished", "instance": instance})
        application.fire("order-3", {"trigger": "itemPicked"})
        application.flush()
        wait_until_processed(settings)
        wait_until(lambda: len(notes(settings)) == 2, "the forwarded trigger has arrived")
        fresh = SessionReader(settings).read("order-3").rules
        assert worker.terminate() == 0

    assert after == before
    assert fresh is not None
    assert fresh.version == 2, "published rules are in the changelog, too"


def issued(settings: Settings) -> list[tuple[str, str]]:
    """Returns session and instance of all commands on the topic."""
    messages = read_topic(settings, Topology(settings.namespace).commands)
    return [(command.session, command.instance) for command in (decode_command(each.value()) for each in messages)]


def notes(settings: Settings) -> list[str]:
    """Returns the instances that the customer's rules have made of forwarded triggers."""
    return [each.name for each in SessionReader(settings).read("customer").instances]


GOOD = {"t_pick": {"after": [], "andEvery": "itemPicked", "run": "app.pick"}}
POISONED = {"t_pick": {"after": [], "andEvery": "itemPicked", "run": "app.pcik"}}


PUBLISH = ("rules", "publish", "order", "--match", "order-*", "--existing", "adopt")
OF_POISONED = ("--exception", "NotRegistered", "--rules", "order@2")


def test_poisoned_rules_are_rolled_back_and_what_failed_is_replayed(settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    good, poisoned, earlier = (tmp_path / f"{name}.json" for name in ("good", "poisoned", "earlier"))
    good.write_text(json.dumps(GOOD))
    poisoned.write_text(json.dumps(POISONED))
    application = Application(settings)
    with WorkerProcess(settings, "w0"):
        assert run(settings, *PUBLISH, str(good)).returncode == 0
        _pick(application, settings, "order-1", "order-2")
        assert run(settings, *PUBLISH, str(poisoned)).returncode == 0
        _pick(application, settings, "order-1", "order-3")
        _answer(application, settings)
        failed = run_json(settings, "list", *OF_POISONED)
        earlier.write_text(run(settings, "rules", "show", "order", "--version", "1").stdout)

        rolled_back = run_json(settings, *PUBLISH, str(earlier))
        job = run_json(settings, "replay", "--where", *OF_POISONED, "--yes")
        _answer(application, settings)
        views = {uid: SessionReader(settings).read(uid) for uid in ("order-1", "order-2", "order-3")}

    assert {each["uid"] for each in failed["sessions"]} == {"order-1", "order-3"}
    assert (rolled_back["version"], rolled_back["changed"]) == (3, True)
    assert {state: number for state, number in job["counts"].items() if number} == {"applied": 2}
    assert {uid: {each.name: each.status for each in view.instances} for uid, view in views.items()} == {
        "order-1": {"t_pick#0": "finished", "t_pick#1": "replayed", "t_pick#2": "finished"},
        "order-2": {"t_pick#0": "finished"},
        "order-3": {"t_pick#0": "replayed", "t_pick#1": "finished"},
    }
    adopted = {uid: view.rules and view.rules.version for uid, view in views.items()}
    assert adopted == {"order-1": 3, "order-2": 2, "order-3": 3}, "order-2 has had no event since the rollback"
    assert_equals_fold(settings)


def _pick(application: Application, settings: Settings, *sessions: str) -> None:
    for session in sessions:
        application.fire(session, {"trigger": "itemPicked"})
    application.flush()
    wait_until_processed(settings)


def _answer(application: Application, settings: Settings) -> None:
    """Reports what a Celery worker reports: the task of the poisoned rules is registered nowhere."""
    for message in read_topic(settings, Topology(settings.namespace).commands):
        command = decode_command(message.value())
        result = {"type": "finished"} if command.run == "app.pick" else FAILURE
        application.fire(command.session, result | {"instance": command.instance, "attempt": command.attempt})
    application.flush()
    wait_until_processed(settings)


FAILURE = {
    "type": "failed",
    "exception_type": "celery.exceptions.NotRegistered",
    "exception_message": "app.pcik",
}
