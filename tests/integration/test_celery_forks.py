"""A worker forks its pool children while its threads run, so no thread may hold a lock that a child waits for."""

from __future__ import annotations

import pytest
from tests.integration.test_traces import issue
from tests.support.celery_process import celery_worker
from tests.support.commands import issue_cancellations, issue_commands, make_command, wait_for_results
from tests.support.otlp_collector import collector
from tests.support.scraped import scrape
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.dev.ports import free_ports
from triggers.settings import Settings

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
ENDS = [
    *("echo", "expiring", "raises", "raises_unpicklable", "raises_odd_text", "out_of_memory", "returns_object"),
    *(
        "returns_large",
        "rejects",
        "ignores",
        "retries",
        "sends",
        "echoo",
        "too_long_softly",
        "too_long",
        "kills_itself",
    ),
]
"""Tasks that end in every way that a worker tells apart."""


def test_no_thread_of_a_worker_imports_a_module_while_children_are_forked(settings: Settings) -> None:
    """A child would find the module locked by a thread that it does not have."""
    create_topics(settings)
    (port,) = free_ports(1)
    terminated = make_command(f"{TASKS}.slow", kwargs={"page": {"seconds": 600}})
    commands, traced = [make_command(f"{TASKS}.{name}") for name in ENDS], make_command(f"{TASKS}.traced")

    with collector() as endpoint:
        variables = endpoint.variables | {"TEST_IMPORTS": "1", "TRIGGERS_METRICS_PORT": str(port)}
        with celery_worker(settings, "--pool=prefork", "-c2", **variables) as celery:
            celery.wait_ready()
            issue_commands(settings, [terminated])
            wait_until(lambda: f"begin {terminated.id}" in celery.notes(), "the task that is terminated runs")
            issue_cancellations(settings, [terminated], terminate=True)
            issue_commands(settings, commands)
            issue(settings, traced)
            wait_for_results(settings, [terminated, *commands, traced], celery)
            endpoint.wait_for("report finished")
            scrape(port)

    assert [note for note in celery.notes() if " imports " in note] == []


def test_a_child_that_is_forked_while_spans_are_exported_runs_its_task(settings: Settings) -> None:
    create_topics(settings)
    commands = [make_command(f"{TASKS}.traced", number=number) for number in range(6)]

    with collector() as endpoint:
        issue(settings, *commands)
        variables = endpoint.variables | {"OTEL_BSP_SCHEDULE_DELAY": "1"}
        with celery_worker(settings, "--pool=prefork", "-c1", "--max-tasks-per-child=1", **variables) as celery:
            wait_for_results(settings, commands, celery)
