"""An operator finds, understands, repairs and replays 50 failed orders of 300 in less than a minute, without a script.

The commands are those of docs/operations/finding-and-repairing.md. Each is a process of its own, as in a terminal, so
the seconds contain the start of Python. The same is done in the console, with a real browser. The tests print what they
have measured.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.support.browser import run_browser, strict_page
from tests.support.celery_process import CeleryProcess
from tests.support.console_server import console_server
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


class Clock:
    """Notes when each step of an operator was done."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._steps: list[str] = []

    def note(self, step: str) -> None:
        now = time.monotonic()
        self._steps.append(f"{now - self._last:5.1f} s  {step}")
        self._last = now

    def stop(self, capsys: pytest.CaptureFixture[str]) -> float:
        """Prints the steps, and returns the seconds of all of them."""
        seconds = self._last - self._began
        with capsys.disabled():
            sys.stdout.write("\n".join(["", *self._steps, f"{seconds:5.1f} s  until every order was finished", ""]))
        return seconds


@pytest.fixture
def outage(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """An installation in which 50 of 300 orders have failed. The file says that the bank is down."""
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
        yield outage


def wait_until_repaired(settings: Settings) -> None:
    """Waits for the end of all orders. Afterwards nothing is failed or stuck."""
    wait_until(lambda: statuses(settings) == {"finished": ORDERS, "replayed": FAILING}, "all orders are done")


def assert_nothing_is_wrong(settings: Settings) -> None:
    statistics = run_json(settings, "stats", "--since", "1h", "--stuck-after", "0s")
    assert [(each["failed"], each["failed_now"]) for each in statistics["failures"]] == [(FAILING, 0)]
    assert statistics["stuck"] == run_json(settings, "list", "--failed")["sessions"] == []
    assert run_json(settings, "list", "--stuck", "1s")["sessions"] == []


def test_fifty_failed_orders_are_found_understood_fixed_and_replayed_in_a_minute(
    settings: Settings, outage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    for line in commands():
        if line.startswith(FIX):
            outage.unlink()
        else:
            output = type_command(settings, line)
        clock.note(line)
        if "list --failed" in line:
            assert "CardServiceDown" in output
            assert "bank 'second' answered 503" in output
    wait_until_repaired(settings)
    clock.note("the tasks that were replayed are finished")

    assert_nothing_is_wrong(settings)
    assert clock.stop(capsys) < 60


def test_the_same_is_done_in_the_console(
    settings: Settings, outage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with console_server(settings, tmp_path) as url, run_browser() as browser, strict_page(browser) as page:
        clock = Clock()
        page.goto(url)
        page.get_by_role("link", name=f"{FAILING} failed").click()
        expect(page.locator("#found tbody tr")).to_have_count(FAILING)
        clock.note("overview, and its failed instances")
        page.get_by_role("link", name="order-006").click()
        expect(page.get_by_role("region", name="t_charge#0 failed")).to_contain_text("bank 'second' answered 503")
        page.get_by_text("traceback").first.click()
        expect(page.get_by_text("raise CardServiceDown").first).to_be_visible()
        clock.note("one of them: message and traceback")
        page.get_by_role("region", name="t_charge#0 failed").get_by_role("link", name="Replay").click()
        page.get_by_label("Kwargs: trigger").fill('{"orderPlaced": {"bank": "first", "total": 16}}')
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Replay t_charge#0").click()
        expect(page.get_by_role("status", name="Result")).to_contain_text("replayed t_charge#0")
        clock.note("that one replayed at the other bank, with edited kwargs")
        outage.unlink()
        page.goto(f"{url}/sessions?status=failed&exception=CardServiceDown")
        page.get_by_role("link", name="Replay…").click()
        page.get_by_role("button", name=f"Replay {FAILING - 1} instances").click()
        expect(page.get_by_role("link", name=f"{FAILING - 1} applied")).to_be_visible()
        clock.note("the others: preview, job and its results")
        page.goto(url)
        expect(page.get_by_role("link", name="0 failed", exact=True)).to_be_visible()
        wait_until_repaired(settings)
        clock.note("the tasks that were replayed are finished")

    assert_nothing_is_wrong(settings)
    assert clock.stop(capsys) < 60
