"""`LocalSession` runs rules and tasks as the stream does: calls, results, timers, operators."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import celery
import pytest

from triggers import TriggerManager
from triggers.errors import CallError, InvalidConfiguration, TaskNotFound, WrongStatus
from triggers.task import TaskContext, TriggerTask, current_command
from triggers.testing import (
    NEVER_ENDS,
    NEVER_STARTS,
    LocalSession,
    SelfRetryingTask,
    SelfSkippingTask,
    TriggerManagerTestCaseMixin,
    in_turn,
    takes,
)
from triggers.types import TaskInstance

ORDER: dict[str, Any] = {
    "t_charge": {"after": ["orderPlaced", "cardEntered"], "run": "shop.charge"},
    "t_ship": {"after": ["t_charge"], "run": "shop.ship"},
}
REMINDER: dict[str, Any] = {
    "$edition": 2,
    "t_remind": {"after": ["orderPlaced"], "unless": ["paid"], "delay": "15m", "run": "shop.remind"},
}


RULE_TESTS = """
import sys

def test_without():
    assert "triggers" not in sys.modules

def test_with(local_session):
    session = local_session({"t_a": {"after": ["a"], "run": "app.a"}})
    session.fire("a", {"n": 1})
    assert session.kwargs_of("t_a") == [{"a": {"n": 1}}]
"""


def charge(orderPlaced: dict[str, Any], cardEntered: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # triggers
    return {"amount": orderPlaced["total"], "card": cardEntered["last4"]}


def test_plain_functions_run_with_the_kwargs_of_their_triggers_and_their_results_cascade() -> None:
    session = LocalSession(ORDER, {"shop.charge": charge})

    session.fire("cardEntered", {"last4": "4242"})
    assert session.runs == []
    session.fire("orderPlaced", {"total": 12})

    assert session.kwargs_of("t_charge") == [{"cardEntered": {"last4": "4242"}, "orderPlaced": {"total": 12}}]
    assert session.kwargs_of("t_ship") == [{"t_charge": {"amount": 12, "card": "4242"}}]
    assert session.statuses == {"t_charge#0": "finished", "t_ship#0": "finished"}
    assert [run.result for run in session.runs] == [{"amount": 12, "card": "4242"}, None]


def test_a_delay_is_over_when_its_time_has_come_and_not_before() -> None:
    session = LocalSession(REMINDER)
    session.fire("orderPlaced", {"order": 17})
    session.advance("14m59s")
    assert session.kwargs_of("t_remind") == []
    assert session.next_due() == 1_000

    session.advance(timedelta(seconds=1))

    assert session.kwargs_of("t_remind") == [{"orderPlaced": {"order": 17}}]
    assert session.runs[0].at == "2026-01-01T00:15:00.000Z"


def test_what_comes_in_time_abandons_what_waits() -> None:
    session = LocalSession(REMINDER)
    session.fire("orderPlaced")
    session.advance("5m")
    session.fire("paid")
    session.advance("1d")

    assert session.statuses == {"t_remind#0": "abandoned"}


def test_a_deadline_fires_an_outcome() -> None:
    rules = {
        "$edition": 2,
        "t_ship": {"after": ["packed", "labelled"], "deadline": "2h", "run": "shop.ship"},
        "t_escalate": {"after": ["t_ship:expired"], "run": "shop.escalate"},
    }
    session = LocalSession(rules)
    session.fire("packed")

    session.advance("2h")

    assert session.statuses == {"t_ship#0": "expired", "t_escalate#0": "finished"}


def test_a_failed_attempt_is_tried_again_when_the_rule_says() -> None:
    retry = {"attempts": 3, "wait": "10s", "backoff": 2, "jitter": 0}
    rules = {"$edition": 2, "t_a": {"after": ["a"], "run": "app.a", "retry": retry}}
    session = LocalSession(rules, {"t_a": in_turn(ConnectionError("away"), OSError("still"), {"ok": True})})
    session.fire("a")
    assert session.statuses == {"t_a#0": "scheduled"}

    session.advance("30s")

    started = session.runs[0].time
    assert [(run.attempt, run.time - started) for run in session.runs] == [(1, 0), (2, 10_000), (3, 30_000)]
    assert [type(run.error) for run in session.runs] == [ConnectionError, OSError, type(None)]
    assert session.statuses == {"t_a#0": "finished"}


@pytest.mark.parametrize(
    ("task", "status", "starts"),
    [(NEVER_STARTS, "scheduled", 0), (NEVER_ENDS, "running", 2), (takes("3m"), "running", 2)],
)
def test_attempts_of_edition_1_that_take_too_long_are_overdue(task: object, status: str, starts: int) -> None:
    rule = {"after": ["a"], "run": "app.a", "timeouts": {"scheduled": 60, "running": 60, "attempts": 2}}
    session = LocalSession({"t_a": rule}, {"t_a": task})
    session.fire("a")
    session.advance("2m")

    context = session.storage["t_a#0"].metadata
    assert (context["exceptionType"], context["exceptionContext"]["status"]) == ("triggers.TimedOut", status)
    assert len(session.runs) == starts


def test_events_happen_while_a_task_runs() -> None:
    rules = {"t_slow": {"after": ["a"], "run": "app.slow"}, "t_after": {"after": ["t_slow", "b"], "run": "app.after"}}
    session = LocalSession(rules, {"t_slow": takes("5m", {"rows": 3})})
    session.fire("a")
    session.advance("1m")
    session.fire("b")
    assert session.statuses == {"t_slow#0": "running", "t_after#0": "unstarted"}

    session.advance("4m")

    assert session.kwargs_of("t_after") == [{"b": {}, "t_slow": {"rows": 3}}]


def test_a_task_that_is_cancelled_before_it_begins_does_not_run() -> None:
    """Both are scheduled by one event; the result of the first one cancels the second."""
    rules = {
        "$edition": 2,
        "t_first": {"after": ["a"], "run": "app.first"},
        "t_second": {"after": ["a"], "run": "app.second", "cancelOn": ["t_first"]},
    }
    session = LocalSession(rules)

    session.fire("a")

    assert session.kwargs_of("t_second") == []
    assert session.statuses["t_second#0"] == "cancelled"


def test_an_operator_replays_and_skips() -> None:
    session = LocalSession(ORDER, {"t_charge": in_turn(RuntimeError("declined"), {"amount": 1}), "t_ship": ValueError})
    session.fire("orderPlaced")
    session.fire("cardEntered")
    session.replay("t_charge#0")
    session.skip("t_ship#0", cascade=True, result={"parcel": 1})

    assert session.statuses == {"t_charge#0": "replayed", "t_charge#1": "finished", "t_ship#0": "skipped"}
    with pytest.raises(WrongStatus, match="finished"):
        session.replay("t_charge#1")


def test_the_tasks_of_a_celery_app_run_unless_the_test_plays_them() -> None:
    app = celery.Celery("shop", broker="memory://", set_as_current=False)
    seen: list[str] = []

    def charge_card(orderPlaced: object, cardEntered: object) -> dict[str, object]:  # noqa: N803  # triggers
        command = current_command()
        seen.append(f"{command.session}/{command.instance}/{command.attempt}")
        return {"both": [orderPlaced, cardEntered]}

    app.task(name="shop.charge", shared=False)(charge_card)
    session = LocalSession(ORDER, {"shop.ship": {"parcel": 7}}, app=app, uid="order-1")
    session.fire("orderPlaced")
    session.fire("cardEntered")

    assert seen == ["order-1/t_charge#0/1"]
    assert session.kwargs_of("t_ship") == [{"t_charge": {"both": [{}, {}]}}]
    with pytest.raises(LookupError):
        current_command()


def test_a_task_that_the_app_does_not_have_is_named() -> None:
    app = celery.Celery("shop", broker="memory://", set_as_current=False)
    app.task(name="shop.charge_card", shared=False)(charge)
    session = LocalSession({"t_charge": {"after": ["a"], "run": "shop.charge"}}, app=app)

    with pytest.raises(TaskNotFound, match=r"t_charge#0: .*'shop.charge'; did you mean 'shop.charge_card'"):
        session.fire("a")


class ReadsSession(TriggerTask):
    """Fires a further trigger with its context."""

    name = "tests.reads_session"

    def _run(self, context: TaskContext) -> dict[str, Any]:
        with context.get_logger_context() as log:
            log.error("seen")
        context.manager.fire("more")
        return {"status": context.task_instance.status, "retries": self.request.retries}


def test_trigger_tasks_have_their_context_and_their_verdicts_count() -> None:
    rules = {
        "t_reads": {"after": ["a"], "run": ReadsSession.name},
        "t_more": {"after": ["more"], "run": "app.more"},
        "t_skips": {"after": ["a"], "run": SelfSkippingTask.name},
        "t_retries": {"after": ["a"], "run": SelfRetryingTask.name, "withParams": {"retries": {"max": 1}}},
    }
    tasks = {"t_reads": ReadsSession, "t_skips": SelfSkippingTask(), "t_retries": SelfRetryingTask}
    session = LocalSession(rules, tasks)

    session.fire("a")

    assert session.runs_of("t_reads")[0].result == {"status": "running", "retries": 0}
    assert session.storage["t_reads#0"].log_level_name == "ERROR"
    assert session.statuses["t_more#0"] == "finished"
    assert session.statuses["t_skips#0"] == "skipped"
    assert (session.statuses["t_retries#0"], session.statuses["t_retries#1"]) == ("replayed", "finished")


class Noticing(TriggerManager):
    """A manager with a hook."""

    noticed: ClassVar[list[str]] = []

    def _post_fire(self, trigger_name: str, tasks_scheduled: list[TaskInstance]) -> None:
        self.noticed.append(f"{trigger_name}: {[each.name for each in tasks_scheduled]}")


def test_hooks_of_an_own_manager_run_after_each_event() -> None:
    session = LocalSession(ORDER, manager=Noticing)
    session.fire("orderPlaced")
    session.fire("cardEntered")

    assert Noticing.noticed == [
        "orderPlaced: []",
        "cardEntered: ['t_charge#0']",
        "t_charge: ['t_ship#0']",
        "t_ship: []",
    ]


def test_the_assertions_of_the_framework_work_on_its_manager() -> None:
    case = TriggerManagerTestCaseMixin()
    session = LocalSession(ORDER, {"t_charge": RuntimeError("declined")})
    case.manager = session.manager
    session.fire("orderPlaced")
    session.fire("cardEntered")

    case.assertInstanceFailed("t_charge#0", RuntimeError)
    case.assertUnresolvedTasks(["t_charge", "t_ship"])


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: LocalSession(ORDER, {"shop.chrage": None}), CallError, "'shop.chrage'.*did you mean 'shop.charge'"),
        (lambda: LocalSession(ORDER).kwargs_of("t_chrage"), TaskNotFound, "did you mean 't_charge'"),
        (lambda: LocalSession(ORDER).advance("soon"), InvalidConfiguration, "'soon' is not a duration"),
        (lambda: LocalSession({"t_a": {"after": "a"}}), InvalidConfiguration, "t_a"),
    ],
)
def test_mistakes_are_named(make: Callable[[], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


def test_the_fixture_comes_with_the_package_and_imports_it_only_on_use(tmp_path: Path) -> None:
    (tmp_path / "test_rules.py").write_text(RULE_TESTS)

    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert "2 passed" in found.stdout, found.stdout
