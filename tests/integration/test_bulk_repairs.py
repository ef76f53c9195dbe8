"""Many sessions are repaired by a job: selected once, published once each, resumed after a crash."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.program import Program, environment, run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.cli.program import EXIT_CODES
from triggers.client.session_events import SessionEvents
from triggers.core.events import ReplayRequested
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

RULES = {"t_bill": {"after": ["order"], "run": "shop.bill"}}
ORDERS, FAILED = 300, 50
WHERE = ("--where", "--failed", "--exception", "Declined")


@pytest.fixture
def shop(settings: Settings) -> Iterator[Settings]:
    """300 orders. 50 have failed because a card was declined, and 5 because of a timeout."""
    create_topics(settings)
    application = Application(settings)
    for number in range(ORDERS):
        uid = f"order-{number:03}"
        application.fire(uid, {"configuration": RULES})
        application.fire(uid, {"trigger": "order"})
        if number < FAILED:
            application.fire(uid, failure("shop.Declined", f"card {number % 2}"))
        elif number < FAILED + 5:
            application.fire(uid, failure("shop.TimedOut", "no answer"))
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield settings


def failure(kind: str, message: str) -> dict[str, Any]:
    return {"type": "failed", "instance": "t_bill#0", "exception_type": kind, "exception_message": message}


def replays_in_log(settings: Settings) -> Counter[str | None]:
    """Returns how often each id of a replay is in the log. Every one of them was applied, and none was refused."""
    events = SessionEvents(settings).read_all()
    return Counter(event.id for _, event in events if isinstance(event, ReplayRequested))


def statuses(settings: Settings) -> dict[str, int]:
    counts = run_json(settings, "status")["statuses"]["counts"]
    return {each["status"]: each["instances"] for each in counts}


def test_a_job_that_was_killed_is_resumed_and_replays_each_instance_once(shop: Settings, tmp_path: Path) -> None:
    command = ("replay", *WHERE, "--rate", "10", "--yes")
    with Program(tmp_path, *command, env=environment(shop)) as program:
        program.wait_for("Job ")
        (started,) = run_json(shop, "jobs", "list")
        wait_until(lambda: finished(shop, started["id"]) > 0, "some items are replayed")
        program.end(signal.SIGKILL)
    (left,) = run_json(shop, "jobs", "list")
    assert 0 < left["counts"]["applied"] < FAILED
    assert not left["is_finished"]

    resumed = resume(shop, left["id"])
    again = resume(shop, left["id"])

    none = {"pending": 0, "published": 0, "refused": 0, "obsolete": 0, "cancelled": 0}
    assert resumed["counts"] == again["counts"] == none | {"applied": FAILED}
    assert replays_in_log(shop) == {f"{left['id']}/t_bill#0": FAILED}
    assert statuses(shop) == {"scheduled": ORDERS - 5, "replayed": FAILED, "failed": 5}
    assert read_topic(shop, Topology(shop.namespace).dead_letters) == []
    items = run_json(shop, "jobs", "show", left["id"])["items"]
    assert [(item["session"], item["replays"]) for item in items] == [
        (f"order-{number:03}", ["t_bill#1"]) for number in range(FAILED)
    ]


def resume(settings: Settings, job: str) -> Any:  # noqa: ANN401  # JSON
    """Resumes a job, again and again if a busy worker has not applied all of its events in time (exit code 4)."""
    while (done := run(settings, "jobs", "resume", job, "--json")).returncode == EXIT_CODES[TryAgain]:
        pass
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def finished(settings: Settings, job: str) -> int:
    counts: dict[str, int] = run_json(settings, "jobs", "show", job)["job"]["counts"]
    return counts["applied"]


def test_two_processes_that_run_the_same_job_share_its_items(shop: Settings, tmp_path: Path) -> None:
    with Program(tmp_path, "replay", *WHERE, "--rate", "10", "--yes", env=environment(shop)) as program:
        program.wait_for("Job ")
        (started,) = run_json(shop, "jobs", "list")

        resumed = resume(shop, started["id"])

        assert resumed["counts"]["applied"] == FAILED
        program.wait_for(f"{FAILED} applied")
    assert set(replays_in_log(shop).values()) == {FAILED}
    assert statuses(shop)["scheduled"] == ORDERS - 5


def test_a_preview_counts_groups_and_changes_nothing(shop: Settings) -> None:
    preview = run_json(shop, "replay", *WHERE, "--dry-run")
    shown = run(shop, "replay", *WHERE, "--dry-run").stdout

    assert (preview["items"], preview["sessions"]) == (FAILED, FAILED)
    assert preview["groups"] == [
        {"task": "t_bill", "reason": f"shop.Declined: card {card}", "items": FAILED // 2} for card in (0, 1)
    ]
    assert "50 instances of 50 sessions would be replayed" in shown
    assert "For example: order-000 t_bill#0, order-001 t_bill#0" in shown
    assert run_json(shop, "jobs", "list") == []
    assert statuses(shop) == {"scheduled": ORDERS - FAILED - 5, "failed": FAILED + 5}


def test_sessions_are_skipped_cancelled_and_deleted_by_filter(shop: Settings) -> None:
    skipped = run_json(shop, "skip", "--where", "--exception", "TimedOut", "--yes")
    cancelled = run_json(shop, "cancel", "--where", "--status", "scheduled", "--prefix", "order-2", "--yes")
    deleted = run_json(shop, "delete", "--where", "--failed", "--yes")
    nothing = run_json(shop, "delete", "--where", "--failed", "--yes")

    assert [job["counts"]["applied"] for job in (skipped, cancelled, deleted)] == [5, 100, FAILED]
    assert nothing is None
    assert statuses(shop) == {"scheduled": ORDERS - FAILED - 105, "skipped": 105}
    newest = run_json(shop, "jobs", "list")
    assert [job["change"]["action"] for job in newest] == ["delete", "cancel", "skip"]


def test_an_instance_that_has_changed_since_the_preview_is_left_alone(shop: Settings, tmp_path: Path) -> None:
    with Program(tmp_path, "replay", *WHERE, "--rate", "3", "--yes", env=environment(shop)) as program:
        program.wait_for("Job ")
        program.end(signal.SIGKILL)
    (job,) = run_json(shop, "jobs", "list")
    run_json(shop, "skip", "order-049", "t_bill#0")
    run_json(shop, "delete", "order-048")
    Application(shop).fire("order-048", {"configuration": RULES})

    resumed = run(shop, "jobs", "resume", job["id"], timeout_s=240)

    assert (resumed.returncode, "48 applied, 2 obsolete" in resumed.stdout) == (0, True), resumed
    obsolete = run_json(shop, "jobs", "show", job["id"], "--state", "obsolete")["items"]
    assert [(item["session"], item["detail"]) for item in obsolete] == [
        ("order-048", "the session is gone"),
        ("order-049", "it is skipped already"),
    ]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("replay", "--where", "--yes"), "the filter is empty"),
        (("replay", "--failed"), "--failed needs --where"),
        (("replay", "order-1", "t_bill#0", "--where", "--failed"), "SESSION does not go with --where"),
        (("replay", "order-1"), "Missing argument 'INSTANCE'"),
        (("skip", "--where", "--status", "scheduled", "--yes"), "skip needs one of failed"),
        (("cancel", "--where", "--failed", "--yes"), "skip or replay failed ones"),
        (("delete", "--where", "--failed", "--json"), "add --yes"),
    ],
)
def test_contradictory_options_of_a_job_are_refused(settings: Settings, command: tuple[str, ...], told: str) -> None:
    create_topics(settings)

    refused = run(settings, *command)

    assert (refused.returncode, told in refused.stderr) == (2, True), refused
