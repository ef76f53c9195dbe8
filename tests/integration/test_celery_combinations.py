"""What Celery's users combine with a worker works with a real one: autoscale, monitors, beat, retries, time limits."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from celery import Celery
from tests.support.celery_process import celery_worker
from tests.support.commands import issue_commands, make_command, read_events, wait_for_results
from tests.support.redis_server import RedisServer
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers import StreamStorage, TriggerManager
from triggers.celery.brokers import UnsuitableBroker
from triggers.celery.dispatcher import run_dispatcher
from triggers.core.events import TaskFailed, TaskFinished, TaskRetried
from triggers.errors import SessionNotFound, TryAgain
from triggers.settings import Settings

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"


def test_rules_call_an_existing_task_with_its_own_parameters(settings: Settings) -> None:
    create_topics(settings)
    arguments = {"to": "on.ordered.customer.email", "template": '"welcome-" + session.uid'}
    rules: dict[str, Any] = {
        "$edition": 2,
        "t_email": {"after": ["ordered"], "run": f"{TASKS}.send_email", "with": arguments},
        "t_note": {"after": ["t_email"], "run": f"{TASKS}.echo"},
    }

    with WorkerProcess(settings, "w0"), celery_worker(settings, "-c1") as worker:
        manager = TriggerManager(StreamStorage("order-7", settings))
        manager.update_configuration(rules)
        manager.fire("ordered", {"customer": {"email": "a@b.c"}})
        wait_until(lambda: _status(settings, "t_note#0") == "finished", f"both tasks have run; see {worker.log}")
        results = {event.instance: event for _, event in read_events(settings) if isinstance(event, TaskFinished)}
        assert worker.terminate() == 0

    assert json.loads(results["t_email#0"].result) == {"result": "welcome-order-7 for a@b.c"}
    assert json.loads(results["t_note#0"].result)["kwargs"] == {"t_email": {"result": "welcome-order-7 for a@b.c"}}


def test_autoscale_grows_the_pool_with_the_load(settings: Settings) -> None:
    create_topics(settings)
    commands = [make_command(f"{TASKS}.slow", f"s{n}", n, kwargs={"page": {"seconds": 1}}) for n in range(12)]

    with celery_worker(settings, "--autoscale=3,1") as worker:
        issue_commands(settings, commands)
        wait_until(lambda: worker.log_text().count("Scaling up") >= 2, f"the pool has grown; see {worker.log}")
        results = wait_for_results(settings, commands, worker)
        assert worker.terminate() == 0

    assert all(len(results[one.id]) == 1 and isinstance(results[one.id][0], TaskFinished) for one in commands)


def test_children_that_are_replaced_after_some_tasks_lose_none(settings: Settings) -> None:
    create_topics(settings)
    commands = [make_command(f"{TASKS}.pid", f"s{n}", n) for n in range(12)]

    with celery_worker(settings, "-c2", "--max-tasks-per-child=2") as worker:
        issue_commands(settings, commands)
        results = wait_for_results(settings, commands, worker)
        assert worker.terminate() == 0

    finished = [results[one.id][0] for one in commands]
    pids = [json.loads(event.result)["result"] for event in finished if isinstance(event, TaskFinished)]
    assert len(pids) == 12
    assert max(map(pids.count, pids)) <= 2


def test_monitors_see_a_command_as_they_see_an_ordinary_task(settings: Settings, redis: RedisServer) -> None:
    create_topics(settings)
    monitor = Celery(broker=redis.url, set_as_current=False)
    state, events = monitor.events.State(), list[dict[str, Any]]()
    one = make_command(f"{TASKS}.slow", "s1", kwargs={"page": {"seconds": 1}})

    def keep(event: dict[str, Any]) -> None:
        state.event(event)
        events.append(event)

    with (
        celery_worker(settings, "-c1", "-E", *_beat(settings), TEST_BEAT="1", TEST_BROKER_URL=redis.url) as worker,
        monitor.connection() as connection,
    ):
        receiver = monitor.events.Receiver(connection, handlers={"*": keep})
        thread = threading.Thread(target=receiver.capture, kwargs={"limit": None, "timeout": None}, daemon=True)
        thread.start()
        wait_until(lambda: any(event["type"] == "worker-heartbeat" for event in events), "the monitor listens")
        issue_commands(settings, [one])
        wait_for_results(settings, [one], worker)
        wait_until(lambda: f"{TASKS}.quick" in _succeeded(events), "a task that beat has sent has ended")
        wait_until(lambda: f"{TASKS}.slow" in _succeeded(events), "the command has ended")
        inspected = monitor.control.inspect(timeout=30, limit=1).registered()
        receiver.should_stop = True
        assert worker.terminate() == 0
        thread.join(60)

    received: dict[str, set[str]] = {e["name"].rsplit(".")[-1]: set(e) for e in events if e["type"] == "task-received"}
    assert received["slow"] == received["quick"]
    assert state.tasks[one.id].state == "SUCCESS"
    assert state.tasks[one.id].root_id == one.id
    assert any(f"{TASKS}.slow" in tasks for tasks in (inspected or {}).values())


def test_a_pool_of_threads_revokes_waiting_tasks_and_finishes_running_ones(
    settings: Settings, redis: RedisServer
) -> None:
    create_topics(settings)
    running, waiting = (make_command(f"{TASKS}.slow", "s1", n, kwargs={"page": {"seconds": 5}}) for n in range(2))
    control = Celery(broker=redis.url, set_as_current=False).control

    with celery_worker(settings, "--pool=threads", "-c1", TEST_BROKER_URL=redis.url) as worker:
        issue_commands(settings, [running, waiting])
        wait_until(lambda: len(worker.notes()) == 1, "one of them runs")
        control.revoke(waiting.id)
        control.revoke(running.id, terminate=True)
        results = wait_for_results(settings, [running, waiting], worker)
        assert worker.terminate() == 0

    assert isinstance(results[running.id][0], TaskFinished)
    (revoked,) = results[waiting.id]
    assert isinstance(revoked, TaskFailed)
    assert revoked.exception_type == "celery.exceptions.TaskRevokedError"
    assert worker.notes() == [f"begin {running.id}", f"end {running.id}"]


def test_the_engine_carries_out_a_retry_of_a_worker_without_a_broker(settings: Settings) -> None:
    create_topics(settings)
    one = make_command(f"{TASKS}.retries")
    issue_commands(settings, [one])

    with celery_worker(settings, "-c2", *_beat(settings), TEST_BEAT="1") as worker:
        (event,) = wait_for_results(settings, [one], worker)[one.id]
        wait_until(lambda: f"{TASKS}.quick cannot be sent" in worker.log_text(), "beat says that it cannot send")
        assert worker.terminate() == 0

    assert isinstance(event, TaskRetried)
    assert (event.exception_type, event.cooldown_ms) == ("builtins.OSError", 0)


def _status(settings: Settings, instance: str) -> str | None:
    """Returns the status of an instance of the order, or None while it does not exist."""
    try:
        view = StreamStorage("order-7", settings).read()
    except (SessionNotFound, TryAgain):
        return None
    return next((each.status for each in view.instances if each.name == instance), None)


def _beat(settings: Settings) -> tuple[str, str]:
    return "--beat", f"--schedule={settings.data_dir}/beat"


def _succeeded(events: list[dict[str, Any]]) -> set[str]:
    """Returns the names of the tasks that have succeeded."""
    names = {event["uuid"]: event["name"] for event in events if event["type"] == "task-received"}
    return {names.get(event["uuid"], "") for event in events if event["type"] == "task-succeeded"}


@pytest.mark.parametrize("broker_url", ["none://", "memory://", "filesystem://"])
def test_a_dispatcher_refuses_a_broker_that_loses_tasks(settings: Settings, broker_url: str) -> None:
    app = Celery("refused", broker=broker_url, set_as_current=False)

    with pytest.raises(UnsuitableBroker, match=broker_url):
        run_dispatcher(app, settings)
