"""`triggers migrate` moves a session of the Triggers framework from Redis into the stream."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.redis_server import RedisServer
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers import MemoryStorage, TriggerManager
from triggers.client import Coordinates, KafkaPublisher
from triggers.client.session_reader import SessionReader
from triggers.codec import decode_command
from triggers.core.events import Event, TriggerFired
from triggers.settings import Settings
from triggers.storages.migration import Migration, MoveResult
from triggers.topology import Topology

pytestmark = pytest.mark.broker

WHEN = datetime(2024, 3, 1, 10, 20, 30)  # noqa: DTZ001  # the framework wrote UTC without a zone


def directives(after: list[str], **more: object) -> dict[str, object]:
    """Makes a rule as the framework serialised it."""
    rest: dict[str, object] = {"unless": [], "andEvery": None, "run": "app.tasks.Run", "using": None, "withParams": {}}
    return {"after": after} | rest | more


def instance(task: str, status: str, kwargs: dict[str, Any], **metadata: object) -> dict[str, object]:
    """Makes an instance as the framework serialised it."""
    return {"abandonState": [], "kwargs": kwargs, "metadata": metadata, "status": status, "task": task}


def stored(status: str = "failed") -> dict[str, object]:
    """Makes a session as the cache stores it. One import has failed, and one page waits for it."""
    stamps = {"created": WHEN, "lastModified": WHEN, status: WHEN, "running": WHEN}
    failed = {"exceptionType": "app.Bad", "actualKwargs": {"first": {"n": 1}}, "timestamps": stamps}
    return {
        "tasks": {
            "t_import": directives(["first"]),
            "t_page": directives(["t_import", "page"], andEvery="page", unless=["embedded", "other"]),
        },
        "instances": {
            "t_import#0": instance("t_import", status, {"first": {"n": 1}}, **failed),
            "t_page#0": instance("t_page", "unstarted", {"page": {"n": 2}}) | {"abandonState": ["embedded"]},
        },
        "metas": {"latest_kwargs": {"first": {"n": 1}, "page": {"n": 2}, "embedded": {}}},
    }


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def old(redis_server: RedisServer) -> dict[str, str]:
    """The environment of a program that uses the old cache."""
    with Redis.from_url(redis_server.url) as redis:
        for uid, session in {"q-1": stored(), "q-busy": stored("running")}.items():
            redis.set(f":1:triggers.storages.cache:{uid}", pickle.dumps(session))
    return {"DJANGO_SETTINGS_MODULE": "tests.support.django_settings", "TEST_REDIS_URL": redis_server.url}


def migrate(settings: Settings, old: dict[str, str], *arguments: str) -> tuple[int, list[tuple[str, str]]]:
    """Runs the command and returns its exit code and (session, result) of each line."""
    done = run(settings, "migrate", "--cache", "django_redis", "--json", *arguments, timeout_s=120, **old)
    assert done.stdout, done.stderr
    return done.returncode, [(line["session"], line["result"]) for line in json.loads(done.stdout)]


def test_a_session_in_redis_is_checked_then_moved_and_not_moved_twice(settings: Settings, old: dict[str, str]) -> None:
    create_topics(settings)
    names = Topology(settings.namespace)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()

        assert migrate(settings, old, "q-1", "q-none") == (1, [("q-1", "would be moved"), ("q-none", "missing")])
        assert read_topic(settings, names.events) == []
        assert migrate(settings, old, "q-1", "--apply") == (0, [("q-1", "moved")])
        assert migrate(settings, old, "q-1", "--apply") == (0, [("q-1", "there already")])
        assert len(read_topic(settings, names.events)) == 1

        run_json(settings, "skip", "q-1", "t_import#0", "--cascade", "--result", '{"subject": 7}')
        wait_until_processed(settings)
        [command] = [decode_command(message.value()) for message in read_topic(settings, names.commands)]
        assert (command.instance, command.attempt) == ("t_page#0", 1)
        assert command.kwargs == b'{"page":{"n":2},"t_import":{"subject":7}}'
        assert migrate(settings, old, "q-1", "--apply") == (0, [("q-1", "moved before, and changed since")])


def test_instances_in_flight_are_refused_or_run_again(settings: Settings, old: dict[str, str]) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()

        assert migrate(settings, old, "q-busy", "--apply") == (1, [("q-busy", "in flight")])
        assert migrate(settings, old, "q-busy", "--apply", "--reissue") == (0, [("q-busy", "moved")])

    [command] = [decode_command(m.value()) for m in read_topic(settings, Topology(settings.namespace).commands)]
    assert (command.instance, command.attempt) == ("t_import#0", 2)


def test_another_session_with_the_same_uid_is_reported_and_left_alone(settings: Settings, old: dict[str, str]) -> None:
    create_topics(settings)
    application = Application(settings)
    application.fire("q-1", {"trigger": "first"})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)

        assert migrate(settings, old, "q-1", "--apply") == (1, [("q-1", "differs")])
        assert SessionReader(settings).read("q-1").events == 1


def test_a_session_that_has_changed_in_the_cache_since_it_was_moved_is_reported(
    settings: Settings, old: dict[str, str]
) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        assert migrate(settings, old, "q-1", "--apply") == (0, [("q-1", "moved")])

        changed = stored()
        changed["metas"] = {"latest_kwargs": {"first": {"n": 1}, "page": {"n": 3}, "embedded": {}}}
        with Redis.from_url(old["TEST_REDIS_URL"]) as redis:
            redis.set(":1:triggers.storages.cache:q-1", pickle.dumps(changed))

        assert migrate(settings, old, "q-1", "--apply") == (1, [("q-1", "differs")])
        assert len(read_topic(settings, Topology(settings.namespace).events)) == 1


class Meddling:
    """A publisher after whose events another application fires into the session at once."""

    def __init__(self, settings: Settings) -> None:
        self._publisher = KafkaPublisher(settings)

    def publish(self, uid: str, event: Event) -> Coordinates:
        self._publisher.publish(uid, event)
        return self._publisher.publish(uid, TriggerFired(trigger="page"))


def test_a_moved_session_that_differs_in_the_stream_is_reported(settings: Settings) -> None:
    create_topics(settings)
    left = MemoryStorage("q-1")
    TriggerManager(left).update_configuration({"t_page": directives(["page"])})
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        migration = Migration(settings, lambda _: left)
        migration._publisher = Meddling(settings)  # type: ignore[assignment]  # it is used as a publisher only

        moved = migration.move("q-1", dry_run=False)

    assert moved.result == MoveResult.DIFFERS
    assert moved.detail == ("moved, but its tasks, instances, latest_kwargs, unresolved_instances differ in the stream")
