"""Queues: topics, lag and Celery workers of their own, and what happens to commands that nobody can take."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from tests.support.celery_process import celery_worker
from tests.support.commands import issue_commands, make_command, wait_for_results
from tests.support.questionnaires import Application
from tests.support.topic_reader import read_topic, wait_until
from tests.support.worker_process import WorkerProcess

from triggers.client.consumer_lag import measure_lag
from triggers.client.session_reader import SessionReader
from triggers.codec import decode_command
from triggers.core.events import TaskFailed, TaskFinished
from triggers.errors import NotFound, TryAgain
from triggers.kafka.queue_topics import MISSING_FOR_S, BrokerQueues
from triggers.kafka.topics import check_topics, create_topics
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
GPU_RULES: dict[str, Any] = {"$edition": 2, "t_gpu": {"after": ["go"], "run": "app.gpu", "queue": "gpu"}}


def test_a_queue_has_partitions_a_retention_and_a_lag_of_its_own(settings: Settings) -> None:
    create_topics(settings)
    names, small = Topology(settings.namespace), msgspec.structs.replace(settings, partitions=1)

    assert create_topics(small, 2, ["gpu"]) == [names.commands_of("gpu")]

    assert check_topics(settings) == [], "it may have another retention than the other topics"
    (problem,) = check_topics(settings, 30, ["gpu"])
    assert problem.topic == names.commands_of("gpu")
    assert problem.problem.startswith("has retention.ms=")
    (missing,) = check_topics(msgspec.structs.replace(settings, queues="gpu,slow"))
    assert (missing.topic, missing.fix) == (names.commands_of("slow"), "triggers topics create --queue slow")
    lag = {(row.group, row.topic, row.partition): row.lag for row in measure_lag(settings)}
    assert lag[names.executors_of("gpu"), names.commands_of("gpu"), 0] == 0
    assert len(lag) == 2 * settings.partitions + 1


def test_the_topic_of_a_queue_is_found_as_soon_as_it_exists(settings: Settings) -> None:
    now = 0.0
    queues = BrokerQueues(settings, now=lambda: now)
    assert queues.find_limit("gpu") is None
    create_topics(settings, 30, ["gpu"])

    assert queues.find_limit("gpu") is None, "a burst of commands does not ask again and again"
    now = MISSING_FOR_S + 0.01
    limit = queues.find_limit("gpu")

    assert limit is not None
    assert limit > 1_000_000


def test_a_command_without_a_topic_fails_until_the_topic_exists(settings: Settings) -> None:
    create_topics(settings)
    names, application = Topology(settings.namespace), Application(settings)
    application.fire("s1", {"configuration": GPU_RULES})
    application.fire("s1", {"trigger": "go"})
    application.flush()
    reader = SessionReader(settings)

    with WorkerProcess(settings, "w0"):
        wait_until(lambda: _status(reader) == "failed", "the instance has failed")
        (failed,) = reader.read("s1").instances
        create_topics(settings, 30, ["gpu"])
        time.sleep(2 * MISSING_FOR_S)  # the worker may not ask again before
        application.fire("s1", {"type": "replay", "instance": "t_gpu#0"})
        application.flush()
        wait_until(lambda: len(read_topic(settings, names.commands_of("gpu"))) == 1, "the command is on its topic")

    assert msgspec.json.decode(failed.metadata["exceptionType"]) == "triggers.UnknownQueue"
    assert b"triggers topics create --queue gpu" in bytes(failed.metadata["exceptionInfo"])
    (command,) = read_topic(settings, names.commands_of("gpu"))
    assert decode_command(command.value()).instance == "t_gpu#1"
    assert read_topic(settings, names.commands) == []


def test_workers_take_the_commands_of_their_queues_and_say_so(settings: Settings) -> None:
    create_topics(settings)
    create_topics(settings, 30, ["gpu", "slow"])
    ordinary = [make_command(f"{TASKS}.echo", f"o{n}", n) for n in range(6)]
    gpu = [make_command(f"{TASKS}.echo", f"g{n}", n, queue="gpu") for n in range(6)]
    slow = [make_command(f"{TASKS}.echo", f"l{n}", n, queue="slow") for n in range(6)]
    unknown = make_command("billing.charge", "s1", queue="gpu")
    issue_commands(settings, [*ordinary, *gpu, *slow, unknown])

    one = celery_worker(settings, "--pool=solo", name="one")
    two = celery_worker(settings, "--pool=solo", name="two", TRIGGERS_QUEUES="gpu, slow")
    with one, two:
        results = wait_for_results(settings, [*ordinary, *gpu, *slow, unknown], one)
        ran = {worker: worker.log_text() for worker in (one, two)}
        codes = one.terminate(), two.terminate()

    assert codes == (0, 0)
    assert all(f"[{command.id}] succeeded" in ran[one] for command in ordinary)
    assert all(f"[{command.id}] succeeded" in ran[two] for command in (*gpu, *slow))
    (failure,) = results[unknown.id]
    assert isinstance(failure, TaskFailed)
    assert "This worker takes the queues gpu, slow and has " in failure.exception_info
    assert f"{TASKS}.echo" in failure.exception_info


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_options_of_celery_count_for_commands_from_kafka_or_say_what_to_write(settings: Settings, pool: str) -> None:
    create_topics(settings)
    routed = make_command(f"{TASKS}.render")
    astray = make_command(f"{TASKS}.tenant")
    expired = make_command(f"{TASKS}.expiring")
    limited = [make_command(f"{TASKS}.limited", number=n) for n in range(4)]
    commands = [routed, astray, expired, *limited]
    issue_commands(settings, commands)

    with celery_worker(settings, f"--pool={pool}", "-c4", "-Q", "celery") as worker:
        results = wait_for_results(settings, commands, worker)
        notes = worker.notes()

    assert f"routes '{TASKS}.render' to the queue 'gpu'" in _failure_of(results[routed.id][0])
    assert '"queue": "gpu"' in _failure_of(results[routed.id][0])
    assert "KeyError" in _failure_of(results[astray.id][0]), "a router that raises fails the task that it raised for"
    assert "has expired" in _failure_of(results[expired.id][0])
    assert notes == []
    times = sorted(_finished_at(results[one.id][0]) for one in limited)
    assert times[-1] - times[0] > 0.7, "three pauses of a quarter of a second"


def _status(reader: SessionReader) -> str:
    try:
        return reader.read("s1").instances[0].status
    except (IndexError, NotFound, TryAgain):
        return ""


def _failure_of(event: object) -> str:
    assert isinstance(event, TaskFailed), event
    return event.exception_info


def _finished_at(event: object) -> float:
    assert isinstance(event, TaskFinished), event
    return float(json.loads(event.result)["at"])
