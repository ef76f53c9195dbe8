"""A Celery worker's main process counts and times every run, whatever the pool is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.core import Metric
from tests.support.celery_process import CeleryProcess, celery_worker
from tests.support.commands import issue_commands, make_command, wait_for_results
from tests.support.scraped import differences, scrape, value_of
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.core.commands import RunTask
from triggers.dev.ports import free_ports
from triggers.settings import Settings
from triggers.telemetry.catalogue import MeasuredProcess

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
CHILD_FAILURES = {
    "too_long": "billiard.exceptions.TimeLimitExceeded",
    "kills_itself": "billiard.exceptions.WorkerLostError",
}


@pytest.mark.parametrize(
    ("options", "failures"),
    [
        pytest.param(["--pool=prefork", "-c2"], CHILD_FAILURES, id="prefork"),
        pytest.param(["--pool=threads", "-c2"], {}, id="threads"),
    ],
)
def test_every_run_is_counted_and_timed_once(settings: Settings, options: list[str], failures: dict[str, str]) -> None:
    create_topics(settings)
    (port,) = free_ports(1)
    failing = {"raises": "builtins.ValueError"} | failures
    commands = [_command("quick", number) for number in range(3)] + [_command(name) for name in ("ignores", *failing)]

    issue_commands(settings, commands)
    with celery_worker(settings, *options, TRIGGERS_METRICS_PORT=str(port)) as worker:
        wait_for_results(settings, commands, worker)
        families = _wait_until_settled(port, worker, len(commands))

    assert differences(MeasuredProcess.CELERY_WORKER, families) == []
    assert value_of(families, "triggers_celery_runs_finished_total", task=f"{TASKS}.quick") == 3
    assert value_of(families, "triggers_celery_runs_ignored_total", task=f"{TASKS}.ignores") == 1
    for name, exception in failing.items():
        labels = {"task": f"{TASKS}.{name}", "exception": exception}
        assert value_of(families, "triggers_celery_runs_failed_total", **labels) == 1, name
    assert _counts(families, "triggers_celery_runs_started_total") == len(commands)
    assert _observed(families, "triggers_celery_run_seconds") == len(commands)
    assert _observed(families, "triggers_celery_queue_seconds") == len(commands)
    assert _observed(families, "triggers_celery_trigger_to_end_seconds") == len(commands)


def test_running_and_waiting_commands_are_gauges(settings: Settings) -> None:
    create_topics(settings)
    (port,) = free_ports(1)
    issue_commands(settings, [_command("slow", number, kwargs={"page": {"seconds": 600}}) for number in range(5)])

    with celery_worker(settings, "--pool=prefork", "-c1", TRIGGERS_METRICS_PORT=str(port)) as worker:
        worker.wait_ready()
        wait_until(
            lambda: value_of(scrape(port), "triggers_celery_commands_in_hand", queue="@default") == 5,
            "five commands in hand",
        )
        wait_until(lambda: _counts(scrape(port), "triggers_celery_runs_started_total") == 1, "one command that runs")
        families = scrape(port)

    assert value_of(families, "triggers_celery_commands_running") == 2  # one runs, and one waits in the pool


def test_a_port_in_use_is_one_line_and_ends_the_worker(settings: Settings) -> None:
    create_topics(settings)
    (port,) = free_ports(1)

    with celery_worker(settings, "--pool=solo", TRIGGERS_METRICS_PORT=str(port)) as first:
        first.wait_ready()
        with celery_worker(settings, "--pool=solo", name="second", TRIGGERS_METRICS_PORT=str(port)) as second:
            code = second.join()

    assert code == 2
    assert f"cannot serve metrics on 0.0.0.0:{port}" in second.log_text()
    assert "Traceback" not in second.log_text()


def _command(name: str, number: int = 0, **fields: Any) -> RunTask:
    return replace(make_command(f"{TASKS}.{name}", "s1", number, **fields), time=1)


def _wait_until_settled(port: int, worker: CeleryProcess, ended: int) -> dict[str, Metric]:
    """Returns the metrics when as many commands have ended. Their outcomes are on Kafka a moment before."""
    outcomes = ("finished", "failed", "retried", "ignored")

    def has_ended() -> bool:
        families = scrape(port)
        return sum(_counts(families, f"triggers_celery_runs_{outcome}_total") for outcome in outcomes) == ended

    wait_until(lambda: has_ended() or not worker.running, f"{ended} ended runs; see {worker.log}")
    return scrape(port)


def _counts(families: dict[str, Metric], name: str) -> float:
    return _sum(sample.value for sample in families[name].samples)


def _observed(families: dict[str, Metric], name: str) -> float:
    return _sum(sample.value for sample in families[name].samples if sample.name.endswith("_count"))


def _sum(values: Iterable[float]) -> float:
    return sum(values)
