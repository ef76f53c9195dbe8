"""The example of three services: each runs its own tasks, and one has a dispatcher and a Redis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.celery_process import CeleryProcess
from tests.support.program import run, run_json
from tests.support.redis_server import RedisServer
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parents[2] / "examples"
QUEUES = ("billing", "warehouse", "mail")
ORDERS = ["order-1", "order-2", "order-3"]


def _celery(settings: Settings, app: str, *options: str, **environment: str) -> CeleryProcess:
    quiet = ("--without-gossip", "--without-mingle", "--loglevel=INFO", "--pool=solo", f"--hostname={app}@%h")
    arguments = ("celery", "-A", f"services.{app}", "worker", *quiet, *options)
    return CeleryProcess(settings, app, *arguments, PYTHONPATH=str(EXAMPLES), **environment)


def test_three_services_share_an_installation_and_each_runs_its_own_tasks(
    settings: Settings,
    redis: RedisServer,
) -> None:
    assert run(settings, "topics", "create", "--partitions", str(settings.partitions)).returncode == 0
    options = [option for queue in QUEUES for option in ("--queue", queue)]
    assert run(settings, "topics", "create", *options, "--partitions", "2").returncode == 0
    billing, warehouse = _celery(settings, "billing"), _celery(settings, "warehouse")
    mail = _celery(settings, "mail", "-Q", "letters", MAIL_BROKER=redis.url)
    dispatching = CeleryProcess(
        settings,
        "dispatcher",
        *("triggers.cli", "dispatcher", "-A", "services.mail"),
        PYTHONPATH=str(EXAMPLES),
        MAIL_BROKER=redis.url,
        TRIGGERS_QUEUES="mail",
    )

    with WorkerProcess(settings, "w0"), billing, warehouse, dispatching, mail:
        producer = [sys.executable, "-m", "services.producer", settings.brokers, Topology(settings.namespace).events]
        subprocess.run([*producer, *ORDERS], cwd=EXAMPLES, check=True)
        wait_until(lambda: all(_is_done(settings, order) for order in ORDERS), "every order is confirmed", 120)
        wait_until(lambda: _unfinished(settings) == 0, "no queue has unfinished commands")

    ran = {process: set(_tasks(process)) for process in (billing, warehouse, mail)}
    assert ran == {
        billing: {"billing.charge"},
        warehouse: {"warehouse.reserve", "warehouse.ship"},
        mail: {"mail.confirm"},
    }


def _is_done(settings: Settings, order: str) -> bool:
    shown = run(settings, "show", order, "--json")
    return shown.returncode == 0 and shown.stdout.count('"finished"') >= 4


def _unfinished(settings: Settings) -> int:
    rows = run_json(settings, "topics", "lag")
    names = Topology(settings.namespace)
    assert {names.commands_of(queue) for queue in QUEUES} <= {row["topic"] for row in rows}
    return sum(row["records"] for row in rows)


def _tasks(process: CeleryProcess) -> list[str]:
    """Returns the names of the tasks that a worker has finished."""
    lines = [line for line in process.log_text().splitlines() if " succeeded in " in line]
    return [line.partition("Task ")[2].partition("[")[0] for line in lines]
