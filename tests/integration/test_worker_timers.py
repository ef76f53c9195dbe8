"""A task that asks for a retry runs again when it is due, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.agent.turns import timers
from triggers.codec import EventDecoder, decode_command
from triggers.core.commands import RunTask
from triggers.core.events import Event, TimerFired
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

COOLDOWN_MS = 1500
HOUR_NS = 3_600_000_000_000


def be_ahead() -> None:
    """Sets the clock of the worker's timers an hour ahead."""
    shift_clock(HOUR_NS)


def be_behind() -> None:
    """Sets the clock of the worker's timers an hour back."""
    shift_clock(-HOUR_NS)


def shift_clock(by_ns: int) -> None:
    clock = SimpleNamespace(monotonic=time.monotonic, time_ns=lambda: time.time_ns() + by_ns)
    vars(timers)["time"] = clock  # the module looks the time up there


def commands(settings: Settings) -> list[RunTask]:
    return [decode_command(m.value()) for m in read_topic(settings, Topology(settings.namespace).commands)]


def events(settings: Settings) -> list[Event]:
    decoder = EventDecoder(settings.max_payload_bytes)
    return [
        decoder.decode(m.value(), None, m.offset() or 0, m.timestamp()[1])
        for m in read_topic(settings, Topology(settings.namespace).events)
    ]


def ask_for_a_retry(settings: Settings, uid: str) -> None:
    application = Application(settings)
    application.fire(uid, {"configuration": {"t_slow": {"after": ["go"], "run": "app.slow"}}})
    application.fire(uid, {"trigger": "go"})
    application.fire(uid, {"type": "retry", "instance": "t_slow#0", "attempt": 1, "cooldown_ms": COOLDOWN_MS})
    application.flush()


def test_a_timer_is_published_once_and_not_before_it_is_due(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        asked_at = time.time()
        ask_for_a_retry(settings, "s1")
        wait_until(lambda: len(commands(settings)) == 2, "the retried instance is commanded")

        assert time.time() - asked_at >= COOLDOWN_MS / 1000
        wait_until_processed(settings)
        assert worker.metric("triggers_timers_fired_total") == 1

    assert [c.id for c in commands(settings)] == ["s1/t_slow#0/1", "s1/t_slow#1/1"]
    assert_equals_fold(settings)


def test_a_timer_that_became_due_while_no_worker_ran_is_published_after_the_start(settings: Settings) -> None:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        ask_for_a_retry(settings, "s1")
        wait_until_processed(settings)
        worker.kill()
        time.sleep(COOLDOWN_MS / 1000)  # the timer must become due while no worker runs
        worker.start()

        wait_until(lambda: len(commands(settings)) == 2, "the retried instance is commanded")
        wait_until_processed(settings)

    assert_equals_fold(settings)


@pytest.mark.parametrize(("shift", "published"), [(be_ahead, 2), (be_behind, 1)])
def test_a_worker_whose_clock_is_an_hour_off_starts_a_delayed_task_when_the_broker_takes_it_for_due(
    settings: Settings, shift: Callable[[], None], published: int
) -> None:
    create_topics(settings)
    rules = {"$edition": 2, "t_late": {"after": ["go"], "delay": "1500ms", "run": "app.late"}}
    with WorkerProcess(settings, "w0", plant=shift) as worker:
        worker.wait_ready()
        application = Application(settings)
        application.fire("s1", {"configuration": rules})
        application.fire("s1", {"trigger": "go"})
        application.flush()
        wait_until(lambda: len(commands(settings)) == 1, "the delayed task is commanded")
        wait_until_processed(settings)

    log = events(settings)
    fired = [event for event in log if isinstance(event, TimerFired)]
    assert len(fired) == published  # one that came an hour too early changed nothing
    assert fired[-1].time >= fired[-1].due == log[1].time + 1500
    assert [c.id for c in commands(settings)] == ["s1/t_late#0/1"]
    assert_equals_fold(settings)
