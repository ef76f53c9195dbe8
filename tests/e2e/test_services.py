"""The example of three services: each runs its own tasks, and one has a dispatcher and a Redis.

Its page says how two of them run from two commands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.celery_process import CeleryProcess
from tests.support.left_processes import find_processes, make_mark
from tests.support.program import environment, run, run_json
from tests.support.redis_server import RedisServer
from tests.support.stack_program import StackProgram
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
    published = run(settings, "rules", "publish", "order", str(EXAMPLES / "services/rules.json"), "--match", "order-*")
    assert published.returncode == 0, published.stderr
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


@pytest.mark.skipif(shutil.which("npm") is None, reason="the web shop of the page runs on Node")
def test_two_commands_run_two_services_and_a_shop_in_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLES / "services", tmp_path / "examples" / "services")
    monkeypatch.chdir(tmp_path / "examples")
    start, shop = re.findall(r"^```sh\n(.*?)^```", (EXAMPLES / "services/README.md").read_text(), re.DOTALL | re.M)[:2]
    change_folder, program = start.splitlines()
    assert (change_folder, program.split()[0]) == ("cd examples", "triggers")
    mark = make_mark()

    with StackProgram(tmp_path, *program.split()[1:], env=environment(None, **mark)) as dev:
        dev.wait_for("press Ctrl-C to stop everything", timeout_s=250)
        dev.wait_for("Published version 1 of the rules 'rules'")
        [brokers] = re.findall(r"triggers --brokers (\S+) --namespace", dev.text)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        there = environment(None, PATH=path, TRIGGERS_BROKERS=brokers)
        commands = ["bash", "-e", "-c", shop.replace("localhost:9092", brokers)]
        subprocess.run(commands, cwd=tmp_path, env=there, check=True, timeout=120)
        finished = {"t_charge#0", "t_reserve#0", "t_ship#0"}
        wait_until(lambda: _finished("order-1", there) == finished, "the order is shipped, and mail waits")
        assert dev.interrupt() == 0

    wait_until(lambda: not list(find_processes(mark)), "no process is left")


def _finished(order: str, env: dict[str, str]) -> set[str]:
    command = [sys.executable, "-m", "triggers.cli", "show", order, "--json"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return {each["name"] for each in json.loads(shown.stdout)["instances"] if each["status"] == "finished"}


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
