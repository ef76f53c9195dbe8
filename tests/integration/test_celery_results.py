"""The main process of a Celery worker publishes what its pool has run, and its pool processes need no Kafka."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.support.celery_process import celery_worker
from tests.support.commands import issue_commands, make_command, read_events, read_results, wait_for_results
from tests.support.executors import executors_lag
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.core.events import TaskEvent, TaskFinished, TaskStarted
from triggers.settings import Settings

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"


def clients_of_kafka(pid: int) -> list[str]:
    """Returns the names of librdkafka's threads in a process."""
    names = [(thread / "comm").read_text().strip() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return [name for name in names if name.startswith("rdk:")]


def test_a_pool_process_has_no_kafka_client_and_the_main_process_publishes_starts_before_results(
    settings: Settings,
) -> None:
    create_topics(settings)
    commands = [make_command(f"{TASKS}.quick", f"s{n}", n) for n in range(200)]
    issue_commands(settings, commands)

    with celery_worker(settings, "-c2") as worker:
        wait_for_results(settings, commands, worker)
        children = psutil.Process(worker.pid).children()
        clients = {child.pid: clients_of_kafka(child.pid) for child in children}
        assert clients_of_kafka(worker.pid)

    assert clients == {child.pid: [] for child in children}
    assert len(children) == 2
    kinds: dict[str, list[type[TaskEvent]]] = {}
    for session, event in read_events(settings):
        assert isinstance(event, TaskEvent)
        kinds.setdefault(session, []).append(type(event))
    assert kinds == {f"s{n}": [TaskStarted, TaskFinished] for n in range(200)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_result_is_on_kafka_before_it_is_stored_even_if_its_child_dies_then(settings: Settings, method: str) -> None:
    create_topics(settings)
    issue_commands(settings, [command := make_command(f"{TASKS}.pid")])
    backend = {"TEST_RESULT_BACKEND": "tests.support.stuck_backend:StuckBackend", "TEST_START_METHOD": method}

    with celery_worker(settings, "-c1", **backend) as worker:
        results = wait_for_results(settings, [command], worker)
        finished = results[command.id][0]
        assert isinstance(finished, TaskFinished)
        assert executors_lag(settings) > 0, "its child still stores it"
        os.kill(json.loads(finished.result)["result"], signal.SIGKILL)
        wait_until(lambda: executors_lag(settings) == 0, "the command is settled")

    assert len(read_results(settings)[command.id]) == 1
