"""Apps with their own Celery broker, beside Kafka or, with the dispatcher, behind it."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter

import msgspec
import pytest
from celery import Celery
from redis import Redis
from tests.support.celery_process import CeleryProcess, celery_worker, dispatcher
from tests.support.commands import (
    issue_bytes,
    issue_cancellations,
    issue_commands,
    make_command,
    read_events,
    read_results,
    wait_for_results,
)
from tests.support.executors import executors_lag
from tests.support.redis_server import RedisServer, queued_messages
from tests.support.scraped import differences, scrape, value_of
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics

from triggers.core.commands import RunTask
from triggers.core.events import MetadataUpdated, TaskFailed, TaskFinished
from triggers.dev.broker import Broker
from triggers.dev.ports import free_ports
from triggers.kafka.topics import create_topics as create_queues
from triggers.settings import Settings
from triggers.telemetry.catalogue import MeasuredProcess

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
DISCOVERED = "tests.support.discovered.tasks"


def _slow(seconds: float, number: int = 0) -> RunTask:
    return make_command(f"{TASKS}.slow", "s1", number, kwargs={"page": {"seconds": seconds}})


def _failing(name: str, number: int = 0) -> RunTask:
    return make_command(f"{TASKS}.{name}", "a/b c", number)


def _begun(worker: CeleryProcess) -> Counter[str]:
    return Counter(line for line in worker.notes() if line.startswith("begin "))


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_worker_with_a_broker_runs_both_its_tasks_and_ours(settings: Settings, redis: RedisServer, pool: str) -> None:
    create_topics(settings)
    commands = {name: _failing(name) for name in ("retries", "sends", "echo", "raises", "rejects", "ignores")}
    discovered = {name: f"{DISCOVERED}.{name}" for name in ("autoretries", "late", "replaces", "sends_chain")}
    commands |= {
        name: make_command(run, "a/b c", kwargs={"how": {"ends": "well"}} if name == "late" else {})
        for name, run in discovered.items()
    }
    issue_commands(settings, commands.values())

    with celery_worker(settings, f"--pool={pool}", "-c2", TEST_BROKER_URL=redis.url) as worker:
        results = wait_for_results(settings, commands.values(), worker)
        wait_until(lambda: "celery_tasks.quick[" in worker.log_text(), "the task that another one sent has run")
        wait_until(lambda: worker.log_text().count("discovered.tasks.found[") >= 3 * 2, "the chain has run")
        assert worker.terminate() == 0

    assert {name: len(results[one.id]) for name, one in commands.items()} == dict.fromkeys(commands, 1)
    retried = results[commands["retries"].id][0]
    assert isinstance(retried, TaskFinished), "Celery's own retry goes through the app's broker and reports its end"
    assert json.loads(retried.result) == {"retries": 1}
    autoretried = results[commands["autoretries"].id][0]
    assert isinstance(autoretried, TaskFinished)
    assert json.loads(autoretried.result) == {"retries": 1}
    replaced = results[commands["replaces"].id][0]
    assert isinstance(replaced, TaskFinished), "it ends as the task that replaces it"
    assert json.loads(replaced.result) == {"by": "found", "result": commands["replaces"].id}
    assert json.loads(_finished(results[commands["late"].id][0]).result) == {"n": 1}
    noted = [event for event in read_events(settings) if isinstance(event[1], MetadataUpdated)]
    assert len(noted) == 3, "the session shows two retries and a replacement"
    assert len(read_results(settings)) == len(commands), "no result is reported for the app's own tasks"


def test_a_revoked_task_fails_whether_it_waits_or_runs(settings: Settings, redis: RedisServer) -> None:
    create_topics(settings)
    running, waiting = _slow(60, 0), _slow(60, 1)
    control = Celery(broker=redis.url, set_as_current=False).control

    with celery_worker(settings, "-c1", TEST_BROKER_URL=redis.url) as worker:
        issue_commands(settings, [running, waiting])
        wait_until(lambda: len(_begun(worker)) == 1, "one of them runs")
        control.revoke(waiting.id)
        control.revoke(running.id, terminate=True, signal="SIGKILL")
        results = wait_for_results(settings, [running, waiting], worker)
        issue_commands(settings, [last := _failing("echo")])
        wait_for_results(settings, [last], worker)
        wait_until(lambda: executors_lag(settings) == 0, "both are settled")

    for one in (running, waiting):
        failure = results[one.id][0]
        assert isinstance(failure, TaskFailed)
        assert failure.exception_type == "celery.exceptions.TaskRevokedError"
        assert len(results[one.id]) == 1


def test_a_worker_whose_celery_broker_is_killed_continues_when_it_is_back(
    settings: Settings, redis: RedisServer
) -> None:
    create_topics(settings)
    commands = [_slow(0.05, n) for n in range(120)]

    with celery_worker(settings, "-c2", TEST_BROKER_URL=redis.url) as worker:
        issue_commands(settings, commands)
        wait_until(lambda: len(_begun(worker)) > 20, "some have begun")
        redis.kill()
        wait_until(lambda: "Connection to broker lost" in worker.log_text(), "Celery has noticed")
        redis.start()
        results = wait_for_results(settings, commands, worker)
        assert worker.terminate() == 0

    assert all(isinstance(results[one.id][0], TaskFinished) for one in commands)
    assert sum(_begun(worker).values()) - len(commands) <= 4


def test_the_dispatcher_moves_commands_into_the_app_s_broker(settings: Settings, redis: RedisServer) -> None:
    names = create_topics(settings)
    failing = {
        name: _failing(name)
        for name in ("raises", "rejects", "ignores", "exits_hard", "too_long", "echoo", "returns_object")
    }
    good = [make_command(f"{TASKS}.echo", "a/b#1/2", n, depth=2, kwargs={"page": {"n": n}}) for n in range(50)]
    other = make_command(f"{TASKS}.echo", "a/b", 99, using="threading")
    classic = make_command("tests.Classic", "a/b", 1, kwargs={"page": {"do": "skip"}})
    commands = [*failing.values(), *good, other, classic]
    issue_bytes(settings, b"garbage")
    issue_commands(settings, commands)

    worker = celery_worker(settings, "-c2", TEST_BROKER_URL=redis.url, TEST_DISPATCHED="1")
    with dispatcher(settings, redis.url) as moving, worker:
        results = wait_for_results(settings, commands, worker)
        wait_until(lambda: executors_lag(settings) == 0, "the lag is 0")
        assert moving.terminate() == 0
        assert worker.terminate() == 0

    assert json.loads(_finished(results[good[7].id][0]).result)["kwargs"] == {"page": {"n": 7}}
    assert {name: type(results[one.id][0]) for name, one in failing.items()} == dict.fromkeys(failing, TaskFailed)
    reported = {name: len(results[one.id]) for name, one in failing.items()}
    assert reported.pop("too_long") <= 2, "Celery reports the limit, then the child that it has killed for it"
    assert set(reported.values()) == {1}
    assert "TimeLimitExceeded" in str(results[failing["too_long"].id][0]), "the one that counts"
    assert "threading" in str(results[other.id][0])
    assert len(read_topic(settings, names.dead_letters)) == 1


def test_a_dispatcher_waits_for_its_broker_and_loses_nothing(settings: Settings, redis: RedisServer) -> None:
    create_topics(settings)
    (port,) = free_ports(1)
    commands = [make_command(f"{TASKS}.echo", f"s{n}", n) for n in range(200)]
    redis.kill()
    issue_commands(settings, commands)

    with dispatcher(settings, redis.url, TRIGGERS_METRICS_PORT=str(port)) as moving:
        wait_until(lambda: "the Celery broker does not answer" in moving.log_text(), "the dispatcher has noticed")
        redis.start()
        wait_until(lambda: executors_lag(settings) == 0, "all are in the broker")
        families = scrape(port)
        with celery_worker(settings, "-c2", TEST_BROKER_URL=redis.url, TEST_DISPATCHED="1") as worker:
            results = wait_for_results(settings, commands, worker)

    assert all(isinstance(results[one.id][0], TaskFinished) for one in commands)
    assert differences(MeasuredProcess.DISPATCHER, families) == []
    assert value_of(families, "triggers_dispatched_commands_total") == len(commands)
    assert value_of(families, "triggers_dispatch_faults_total") > 0
    assert value_of(families, "triggers_dispatcher_backlog_commands", queue="@default") == 0


def test_a_dispatcher_that_cannot_commit_dispatches_few_commands_twice(
    settings: Settings, redis: RedisServer, own_broker: Broker
) -> None:
    settings = msgspec.structs.replace(settings, brokers=own_broker.address, celery_session_timeout_s=6.0)
    create_topics(settings)
    issue_commands(settings, [make_command(f"{TASKS}.echo", f"s{n}", n) for n in range(3000)])
    queue = Redis.from_url(redis.url)
    redis.kill()

    with dispatcher(settings, redis.url) as moving:
        wait_until(lambda: "the Celery broker does not answer" in moving.log_text(), "it holds commands")
        own_broker.kill()
        redis.start()
        time.sleep(5)  # enough time to dispatch all that it holds
        assert queue.llen("celery") <= 500

        own_broker.start()
        wait_until(lambda: executors_lag(settings) == 0, "all are in the broker")
        assert 3000 <= queue.llen("celery") <= 3500


def test_a_command_whose_router_raises_fails_and_the_others_are_dispatched(
    settings: Settings, redis: RedisServer
) -> None:
    create_topics(settings)
    raising = {
        kind: make_command(f"{TASKS}.echo", "bad", n, kwargs={"page": {"router raises": kind}})
        for n, kind in enumerate(("KeyError", "OSError", "OperationalError"))
    }
    good = [make_command(f"{TASKS}.echo", f"s{n}", n) for n in range(20)]
    issue_commands(settings, [*raising.values(), *good])

    worker = celery_worker(settings, "-c2", TEST_BROKER_URL=redis.url, TEST_DISPATCHED="1")
    with dispatcher(settings, redis.url) as moving, worker:
        results = wait_for_results(settings, [*raising.values(), *good], worker)
        wait_until(lambda: executors_lag(settings) == 0, "all are settled")
        assert moving.terminate() == 0

    failures = {kind: results[one.id][0] for kind, one in raising.items()}
    assert all(isinstance(event, TaskFailed) and "no tenant" in event.exception_info for event in failures.values())
    assert all(isinstance(results[one.id][0], TaskFinished) for one in good)


def test_a_command_that_the_broker_refuses_again_and_again_fails_and_blocks_no_other(
    settings: Settings, redis: RedisServer
) -> None:
    """Redis closes the connection for a value above its limit, which looks like an outage."""
    create_topics(settings)
    Redis.from_url(redis.url).config_set("proto-max-bulk-len", 1 << 20)
    large = make_command(f"{TASKS}.echo", "large", kwargs={"page": {"text": "x" * 890_000}})
    small = [make_command(f"{TASKS}.echo", f"s{n}", n) for n in range(10)]
    issue_commands(settings, [large, *small])

    worker = celery_worker(settings, "-c2", TEST_BROKER_URL=redis.url, TEST_DISPATCHED="1")
    with dispatcher(settings, redis.url) as moving, worker:
        wait_for_results(settings, small, worker)
        more = itertools.count(10)

        def is_reported() -> bool:
            issue_commands(settings, [make_command(f"{TASKS}.quick", "s", next(more))])
            return large.id in read_results(settings)

        wait_until(is_reported, f"the large one is reported; see {moving.log}")
        failure = read_results(settings)[large.id][0]

    assert isinstance(failure, TaskFailed)
    assert "OperationalError" in failure.exception_type


def test_celery_s_own_routing_decides_where_a_dispatched_command_goes(settings: Settings, redis: RedisServer) -> None:
    create_topics(settings)
    create_queues(settings, 30, ["mail"])
    routed = [make_command(f"{TASKS}.render", queue="mail"), make_command(f"{TASKS}.render", number=1)]
    acme = make_command(f"{TASKS}.tenant", kwargs={"tenant": {"name": "acme"}})
    nobody = make_command(f"{TASKS}.tenant", number=1)
    unknown = make_command("elsewhere.task")
    issue_commands(settings, [*routed, acme, nobody, unknown])
    redis_client = Redis.from_url(redis.url)

    with dispatcher(settings, redis.url, TRIGGERS_QUEUES="@default,mail") as moving:
        results = wait_for_results(settings, [nobody], moving)
        wait_until(lambda: sum(map(len, queued_messages(redis_client).values())) == 4, "the others are dispatched")
        assert moving.terminate() == 0

    sent = queued_messages(redis_client)
    assert sent.keys() == {"gpu", "acme", "celery"}, "options of the task, the router, the default"
    assert {message["headers"]["id"] for message in sent["gpu"]} == {one.id for one in routed}
    assert {message["properties"]["priority"] for message in sent["gpu"]} == {7}
    assert all(message["headers"]["expires"] for message in sent["gpu"])
    (failure,) = results[nobody.id]
    assert "KeyError" in str(failure), "the router raised for this task alone"


def test_a_cancelled_command_is_revoked_in_the_broker_that_it_was_dispatched_to(
    settings: Settings, redis: RedisServer
) -> None:
    create_topics(settings)
    running, waiting = _slow(60, 0), _slow(60, 1)

    worker = celery_worker(settings, "-c1", TEST_BROKER_URL=redis.url, TEST_DISPATCHED="1")
    with dispatcher(settings, redis.url), worker:
        issue_commands(settings, [running, waiting])
        wait_until(lambda: len(_begun(worker)) == 1, "one of them runs")
        issue_cancellations(settings, [running, waiting], terminate=True)
        issue_commands(settings, [last := _failing("echo")])
        wait_for_results(settings, [last], worker)
        wait_until(lambda: executors_lag(settings) == 0, "the cancellations are settled")

    assert _begun(worker) == Counter([f"begin {running.id}"])


def _finished(event: object) -> TaskFinished:
    assert isinstance(event, TaskFinished), event
    return event
