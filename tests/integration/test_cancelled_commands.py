"""A cancelled command does not begin, and one that runs is ended where the pool can do it."""

from __future__ import annotations

import pytest
from tests.support.celery_process import celery_worker
from tests.support.commands import issue_cancellations, issue_commands, make_command, read_results, wait_for_results
from tests.support.executors import executors_lag
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.core.commands import RunTask
from triggers.core.events import TaskFailed, TaskFinished
from triggers.settings import Settings

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
LONG_S = 60.0
SHORT_S = 4.0


def _slow(number: int, seconds: float) -> RunTask:
    return make_command(f"{TASKS}.slow", "s1", number, kwargs={"page": {"seconds": seconds}})


@pytest.mark.parametrize(
    ("options", "can_end"),
    [
        pytest.param(["--pool=prefork", "-c1"], True, id="prefork"),
        pytest.param(["--pool=threads", "-c1"], False, id="threads"),
        pytest.param(["--pool=solo"], False, id="solo"),
    ],
)
def test_a_cancelled_command_does_not_begin_and_a_pool_of_processes_ends_one_that_runs(
    settings: Settings, options: list[str], can_end: bool
) -> None:
    create_topics(settings)
    before, running = _slow(0, LONG_S), _slow(1, LONG_S if can_end else SHORT_S)
    waiting = [_slow(number, LONG_S) for number in range(2, 7)]
    issue_commands(settings, [before])
    issue_cancellations(settings, [before])

    with celery_worker(settings, *options) as worker:
        issue_commands(settings, [running, *waiting])
        wait_until(lambda: f"begin {running.id}" in worker.notes(), "one of them runs")
        issue_cancellations(settings, [running, *waiting], terminate=True)
        issue_commands(settings, [last := make_command(f"{TASKS}.quick", "s1")])
        wait_for_results(settings, [last], worker)
        wait_until(lambda: executors_lag(settings) == 0, "commands and cancellations are settled")
        notes, code = worker.notes(), worker.terminate()

    assert code == 0
    assert [note for note in notes if note.startswith("begin ")] == [f"begin {running.id}"]
    (outcome,) = read_results(settings)[running.id]
    assert isinstance(outcome, TaskFailed if can_end else TaskFinished)
    if "--pool=threads" in options:
        assert "only a prefork pool can end a task" in worker.log_text()


def test_a_running_command_that_is_not_to_be_ended_runs_to_its_end(settings: Settings) -> None:
    create_topics(settings)
    running = _slow(0, SHORT_S)
    issue_commands(settings, [running])

    with celery_worker(settings, "--pool=prefork", "-c1") as worker:
        wait_until(lambda: f"begin {running.id}" in worker.notes(), "it runs")
        issue_cancellations(settings, [running])
        results = wait_for_results(settings, [running], worker)

    assert isinstance(results[running.id][0], TaskFinished)
