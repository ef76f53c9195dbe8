"""`triggers doctor` finds what a deployment lacks and how to fix it."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from tests.support.celery_process import celery_worker
from tests.support.program import environment
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.cli import main
from triggers.kafka.api_versions import FETCH, TXN_OFFSET_COMMIT, fetch_api_versions
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.storages.published_rules import publish_rules
from triggers.topology import Topology

pytestmark = pytest.mark.broker


def _examine(settings: Settings, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Returns the exit code and the findings."""
    done = CliRunner().invoke(main, ["doctor", "--json", *options], env=environment(settings))
    return done.exit_code, json.loads(done.stdout)


def _of(findings: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    return [each for each in findings if each["check"] == check]


def _verdicts(findings: list[dict[str, Any]]) -> dict[str, set[str]]:
    checks = {each["check"] for each in findings}
    return {check: {each["verdict"] for each in _of(findings, check)} for check in checks}


def test_a_broker_that_does_not_answer_is_the_only_problem(settings: Settings) -> None:
    code, findings = _examine(msgspec.structs.replace(settings, brokers="127.0.0.1:1"))

    (problem,) = [each for each in findings if each["verdict"] == "problem"]
    assert code == 1
    assert problem["check"] == "connection"
    assert "no Kafka broker answers at 127.0.0.1:1" in problem["detail"]
    assert {each["check"] for each in findings} <= {"librdkafka", "state folder", "connection"}


def test_a_namespace_without_topics_lacks_them_first(settings: Settings) -> None:
    code, findings = _examine(settings)

    assert code == 1
    problems = [each for each in findings if each["verdict"] == "problem"]
    names = Topology(settings.namespace)
    assert [each["fix"] for each in problems if each["detail"] == f"{names.events} is missing"] == [
        "triggers topics create"
    ]
    assert _of(findings, "executors")[0]["detail"] == "queue @default: no process takes its commands"


def test_an_installation_that_works_has_no_problem(settings: Settings) -> None:
    create_topics(settings)
    publish_rules("small", {"t_a": {"after": ["a"], "run": "app.a"}}, settings=settings)

    with WorkerProcess(settings, "w0") as worker, celery_worker(settings, "--pool=solo") as celery:
        worker.wait_ready()
        celery.wait_ready()
        wait_until(lambda: _verdicts(_examine(settings)[1])["executors"] == {"ok"}, "the Celery worker has joined")
        code, findings = _examine(settings)

    assert [each for each in findings if each["verdict"] == "problem"] == []
    assert code == 0
    verdicts = _verdicts(findings)
    working = {"librdkafka", "connection", "broker version", "permissions", "topics", "timestamps", "rules", "agents"}
    assert {check for check, found in verdicts.items() if found == {"ok"}} >= working | {"clocks", "executors"}
    assert verdicts["brokers"] == {"warning"}, "the tests have only one"
    assert _of(findings, "rules")[0]["detail"] == "published: small"
    assert str(worker.url) in _of(findings, "agents")[0]["detail"]


def test_an_event_of_the_future_is_found(settings: Settings) -> None:
    create_topics(settings)
    _let_producers_stamp(settings)
    ahead_ms = int(time.time() * 1000) + 1_800_000
    wait_until(lambda: _stamp_of_event(settings, ahead_ms) == ahead_ms, "the broker keeps the stamps of producers")

    (finding,) = _of(_examine(settings)[1], "timestamps")

    assert finding["verdict"] == "warning"
    assert "s in the future" in finding["detail"]
    assert "a time service" in finding["fix"]


def _stamp_of_event(settings: Settings, stamp: int) -> int:
    """Publishes an event with a stamp and returns the one that it has on the topic."""
    stamps: list[int] = []
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(
        Topology(settings.namespace).events,
        b'{"trigger": "a"}',
        b"s",
        timestamp=stamp,
        on_delivery=lambda _, message: stamps.append(message.timestamp()[1]),
    )
    assert producer.flush(60) == 0
    return stamps[0]


def _let_producers_stamp(settings: Settings) -> None:
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    events = ConfigResource(ResourceType.TOPIC, Topology(settings.namespace).events, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.brokers})  # the future does not keep it alive
    admin.incremental_alter_configs([events])[events].result()


def test_people_read_a_table(settings: Settings) -> None:
    done = CliRunner().invoke(main, ["doctor"], env=environment(settings))

    assert done.exit_code == 1
    assert "PROBLEM" in done.stdout
    assert "triggers topics create" in done.stdout


def test_a_broker_says_which_versions_it_supports(settings: Settings) -> None:
    versions = fetch_api_versions(settings)

    assert versions is not None
    assert versions[FETCH].oldest >= 4, "Kafka 4"
    assert versions[TXN_OFFSET_COMMIT].newest >= 3
    assert versions[9999].newest == -1


def test_a_port_without_a_broker_says_nothing(settings: Settings) -> None:
    assert fetch_api_versions(msgspec.structs.replace(settings, brokers="127.0.0.1:1")) is None
    assert fetch_api_versions(msgspec.structs.replace(settings, brokers="127.0.0.1:port")) is None
