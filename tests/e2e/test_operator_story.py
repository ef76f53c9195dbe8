"""An operator finds, understands, repairs and replays 50 failed orders of 300 in less than a minute, without a script.

The commands are those of docs/operations/finding-and-repairing.md. Each is a process of its own, as in a terminal, so
the seconds contain the start of Python. The test prints what it has measured.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.celery_process import CeleryProcess
from tests.support.program import environment, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

ORDERS, FAILING = 300, 50
PAGE = Path(__file__).parents[2] / "docs" / "operations" / "finding-and-repairing.md"
RULES = {"t_charge": {"after": ["orderPlaced"], "run": "shop.charge"}}
FIX = "# "
"""Beginning of the line of the page where the operator removes the cause."""


def commands() -> list[str]:
    """Returns the lines of the page's block, which end with their comments."""
    found = re.search(r"## A minute with 50 failed orders\n.*?```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1].strip().splitlines()


def type_command(settings: Settings, line: str) -> str:
    words = shlex.split(line, comments=True)
    assert words[0] == "triggers"
    command = [sys.executable, "-m", "triggers.cli", *words[1:]]
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def statuses(settings: Settings) -> dict[str, int]:
    counts = run_json(settings, "status")["statuses"]["counts"]
    return {each["status"]: each["instances"] for each in counts}


def place_orders(application: Application) -> None:
    """Places all orders. Those that are to fail are paid at the second bank."""
    for number in range(ORDERS):
        uid = f"order-{number:03}"
        application.fire(uid, {"configuration": RULES})
        bank = "second" if number % (ORDERS // FAILING) == 0 else "first"
        application.fire(uid, {"trigger": "orderPlaced", "kwargs": {"bank": bank, "total": 10 + number}})
    application.flush()


def test_fifty_failed_orders_are_found_understood_fixed_and_replayed_in_a_minute(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_topics(settings)
    outage = tmp_path / "outage"
    outage.touch()
    celery = CeleryProcess(
        settings, "celery", "celery", "-A", "tests.support.card_tasks", "worker", "--loglevel=INFO", "-c", "2",
        TEST_OUTAGE=str(outage),
    )  # fmt: skip
    with WorkerProcess(settings, "w0") as worker, celery:
        worker.wait_ready()
        celery.wait_ready()
        place_orders(Application(settings))
        wait_until_processed(settings)
        expected = {"failed": FAILING, "finished": ORDERS - FAILING}
        wait_until(lambda: statuses(settings) == expected, "some orders have failed, and the others are done")

        began, measured = time.monotonic(), list[tuple[str, float]]()
        for line in commands():
            started = time.monotonic()
            if line.startswith(FIX):
                outage.unlink()
            else:
                output = type_command(settings, line)
            measured.append((line, time.monotonic() - started))
            if "list --failed" in line:
                assert "CardServiceDown" in output
                assert "bank 'second' answered 503" in output
        wait_until(lambda: statuses(settings).get("failed", 0) == 0, "nothing is failed")
        wait_until(lambda: statuses(settings) == {"finished": ORDERS, "replayed": FAILING}, "all orders are done")
        seconds = time.monotonic() - began

    with capsys.disabled():
        for line, took in measured:
            sys.stdout.write(f"\n{took:5.1f} s  {line}")
        sys.stdout.write(f"\n{seconds:5.1f} s  until every order was finished\n")
    assert seconds < 60
