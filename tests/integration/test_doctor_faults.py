"""`triggers doctor` finds each fault that is planted in an installation, and says what to do."""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from msgspec import structs
from tests.support.program import environment
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.cli import main
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


def _find(settings: Settings, check: str, *options: str) -> dict[str, Any]:
    """Returns the first finding of a check that is not ok."""
    done = CliRunner().invoke(main, ["doctor", "--json", *options], env=environment(settings))
    everything: list[dict[str, Any]] = json.loads(done.stdout)
    assert (done.exit_code == 1) is any(each["verdict"] == "problem" for each in everything)
    found = [each for each in everything if each["check"] == check]
    return next((each for each in found if each["verdict"] != "ok"), found[0])


def _set(settings: Settings, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.brokers})  # the future does not keep it alive
    admin.incremental_alter_configs([resource])[resource].result(30)


@pytest.mark.parametrize(
    ("topic", "name", "value"),
    [
        ("events", "retention.ms", "3600000"),
        ("events", "message.timestamp.type", "CreateTime"),
        ("events", "cleanup.policy", "compact"),
        ("changelog", "cleanup.policy", "delete"),
        ("commands", "retention.ms", "3600000"),
    ],
)
def test_a_topic_with_a_dangerous_setting_is_found_with_the_command_that_corrects_it(
    settings: Settings, topic: str, name: str, value: str
) -> None:
    create_topics(settings)
    full = getattr(Topology(settings.namespace), topic)
    _set(settings, full, name, value)
    wait_until(lambda: _find(settings, "topics")["verdict"] == "problem", "the broker has changed the topic")

    finding = _find(settings, "topics")

    assert full in finding["detail"]
    assert name in finding["detail"] + finding["fix"]
    assert finding["fix"]


def test_a_topic_that_accepts_writes_on_one_replica_is_found_when_three_are_wanted(settings: Settings) -> None:
    create_topics(settings)
    wanted = structs.replace(settings, replication_factor=3)

    done = CliRunner().invoke(
        main, ["doctor", "--json"], env=environment(wanted) | {"TRIGGERS_REPLICATION_FACTOR": "3"}
    )
    problems = [each["detail"] for each in json.loads(done.stdout) if each["verdict"] == "problem"]

    assert any("fewer than 3 replicas" in detail for detail in problems)
    assert any("min.insync.replicas" in detail for detail in problems)


def test_an_installation_without_workers_and_executors_lacks_both(settings: Settings) -> None:
    create_topics(settings)

    workers, executors = _find(settings, "agents"), _find(settings, "executors")

    assert (workers["verdict"], workers["fix"]) == ("problem", "start workers: triggers worker")
    assert (executors["verdict"], "celery -A app worker" in executors["fix"]) == ("problem", True)


def test_a_machine_whose_clock_differs_from_that_of_a_worker_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        monkeypatch.setattr("triggers.doctor.processes.time", SimpleNamespace(time=lambda: time.time() + 300))
        finding = _find(settings, "clocks")

    assert (finding["verdict"], finding["fix"]) == ("problem", "set the clocks of all machines by a time service")
    assert re.search(r"differs by -(29\d|30\d) s from this machine", finding["detail"])
