"""Existing sessions adopt a version of published rules: one of them, or all that a filter finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

SESSIONS = 12


@pytest.fixture
def orders(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Twelve sessions with version 1 of the rules, a thirteenth that cannot have version 2, and version 2."""
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        publish(settings, tmp_path, {"t_ship": {"after": ["paid"], "run": "ship"}})
        application = Application(settings)
        for number in range(SESSIONS):
            application.fire(f"order-{number:02}", {"trigger": "known"})
        own = {"t_own": {"after": ["x"], "run": "own", "key-of-the-application": 1}}
        application.fire("order-own", {"configuration": own})
        application.flush()
        wait_until_processed(settings)
        publish(settings, tmp_path, {"$edition": 2, "t_ship": {"after": ["paid"], "run": "ship"}})
        wait_until_processed(settings)
        yield settings


def publish(settings: Settings, folder: Path, rules: dict[str, Any]) -> None:
    file = folder / "rules.json"
    file.write_text(json.dumps(rules))
    done = run(settings, "rules", "publish", "order", str(file), "--match", "order-*")
    assert done.returncode == 0, done.stderr


def versions(settings: Settings) -> dict[str, int]:
    sessions = run_json(settings, "list", "--limit", "100")["sessions"]
    return {each["uid"]: each["rules"]["version"] for each in sessions}


def test_all_that_match_adopt_the_newest_version_and_the_result_names_who_could_not(orders: Settings) -> None:
    filters = ("--where", "--rules", "order@1")
    preview = run_json(orders, "rules", "adopt", "order", *filters, "--dry-run")
    assert (preview["items"], preview["change"]["version"]) == (SESSIONS + 1, 2)
    assert set(versions(orders).values()) == {1}

    done = run(orders, "rules", "adopt", "order", *filters, "--yes", "--json")

    job = json.loads(done.stdout)
    assert (done.returncode, job["counts"]["applied"], job["counts"]["refused"]) == (1, SESSIONS, 1), done.stderr
    (refused,) = run_json(orders, "jobs", "show", job["id"], "--state", "refused")["items"]
    assert refused["session"] == "order-own"
    assert versions(orders) == {f"order-{number:02}": 2 for number in range(SESSIONS)} | {"order-own": 1}
    (letter,) = run_json(orders, "dead-letters", "list")
    assert "key-of-the-application" in letter["detail"]
    nothing = run_json(orders, "rules", "adopt", "order", "--where", "--rules", "order@2", "--yes")
    assert nothing is None


def test_one_session_adopts_a_version_and_its_timeline_says_who_did_it(orders: Settings) -> None:
    adopted = run_json(orders, "rules", "adopt", "order", "order-03")
    back = run_json(orders, "rules", "adopt", "order", "order-04", "--version", "1")
    unknown = run(orders, "rules", "adopt", "order", "order-03", "--version", "7")
    refused = run(orders, "rules", "adopt", "order", "order-own")

    assert (adopted["version"], back["version"]) == (2, 1)
    assert (unknown.returncode, "the newest is 2" in unknown.stderr) == (3, True)
    assert (refused.returncode, "did not adopt version 2" in refused.stderr) == (1, True)
    assert versions(orders)["order-03"] == 2
    events = run(orders, "explain", "order-03").stdout
    assert "let the session adopt version 2 of 'order'" in events
