"""A task that asks for a retry runs again when it is due, once."""

from __future__ import annotations

import time

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import decode_command
from triggers.core.commands import RunTask
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

COOLDOWN_MS = 1500


def commands(settings: Settings) -> list[RunTask]:
    return [decode_command(m.value()) for m in read_topic(settings, Topology(settings.namespace).commands)]


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
