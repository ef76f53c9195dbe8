"""A session that changes from edition 1 to edition 2 keeps what its instances hold, and its timers."""

from __future__ import annotations

from tests.support.memory_session import MemorySession, scheduled

from triggers.core.commands import Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.events import (
    TaskFailed,
    TaskRetried,
    TimerFired,
)
from triggers.core.state.rows import due_timers

WAITS = {"t_ship": {"after": ["packed", "loaded"], "run": "shop.ship"}}


def _edition_2(**rule: object) -> dict[str, object]:
    return {"$edition": 2, "t_ship": {"run": "shop.ship"} | rule}


def _run_next_timer(session: MemorySession) -> Decision:
    timer = next(due_timers(session.rows, 1 << 60))
    event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
    return session.apply_at(event, now=timer.due)


# -- what instances hold ----------------------------------------------------------------------------------------------


def test_a_leaf_that_takes_several_keeps_what_a_waiting_instance_holds() -> None:
    session = MemorySession(WAITS)
    session.fire("packed", n=1)
    session.configure(_edition_2(after=[{"trigger": "packed", "count": 2}, "loaded"]))

    session.fire("packed", n=2)
    decision = session.fire("loaded")

    assert scheduled(decision) == [("t_ship#0", {"packed": [{"n": 1}, {"n": 2}], "loaded": {}})]


def test_a_task_does_not_receive_under_the_name_of_a_new_leaf_what_that_leaf_would_have_refused() -> None:
    session = MemorySession(WAITS)
    session.fire("packed", n=1)
    session.configure(_edition_2(after={"any": [{"trigger": "packed", "when": "kwargs.n > 1"}, "loaded"]}))

    assert scheduled(session.fire("loaded")) == [("t_ship#0", {"loaded": {}})]


def test_a_deadline_does_not_begin_for_an_instance_that_had_begun_before_the_change() -> None:
    session = MemorySession(WAITS)
    session.fire("packed", n=1)
    session.configure(_edition_2(after=[{"trigger": "packed", "when": "kwargs.n > 1"}, "loaded"], deadline="5s"))

    session.fire("loaded")

    assert session.statuses() == {"t_ship#0": "unstarted"}
    assert list(due_timers(session.rows, 1 << 60)) == []


# -- timers -----------------------------------------------------------------------------------------------------------

TIMED = {"after": ["packed"], "timeouts": {"scheduled": 60, "attempts": 1}}
RUNS = {"t_ship": {"run": "shop.ship"} | TIMED}


def test_an_attempt_after_a_cooldown_is_called_by_the_new_rules() -> None:
    session = MemorySession({"t_ship": {"after": ["packed"], "run": "shop.ship"}})
    session.fire("packed", n=7)
    session.apply(TaskRetried(instance="t_ship#0", attempt=1, cooldown_ms=60_000))

    session.configure(_edition_2(after=["packed"], queue="ships", **{"with": {"number": "on.packed.n"}}))
    late = session.apply(TaskFailed(instance="t_ship#1", attempt=1, exception_type="app.errors.Late"))
    decision = _run_next_timer(session)

    assert late.outcome is Outcome.STALE
    [command] = [command for command in decision.commands if isinstance(command, RunTask)]
    assert (command.instance, command.attempt, command.queue, command.kwargs) == (
        "t_ship#1",
        1,
        "ships",
        b'{"number":7}',
    )
    assert list(due_timers(session.rows, 1 << 60)) == []


def test_an_overdue_attempt_fires_its_outcome() -> None:
    session = MemorySession(RUNS)
    session.fire("packed")

    notice = {"after": ["t_ship:failed"], "run": "shop.notice"}
    session.configure(
        _edition_2(**{key: value for key, value in RUNS["t_ship"].items() if key != "run"}) | {"t_n": notice}
    )
    decision = _run_next_timer(session)

    assert session.statuses() == {"t_ship#0": "failed", "t_n#0": "scheduled"}
    assert [fire.trigger for fire in decision.fires] == ["t_ship:failed"]


def test_the_event_of_a_timer_that_was_published_before_the_change_is_stale() -> None:
    session = MemorySession(RUNS)
    session.fire("packed")
    timer = next(due_timers(session.rows, 1 << 60))

    session.configure({"$edition": 2})
    published = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due)
    early = session.apply_at(published, now=timer.due)
    decision = _run_next_timer(session)

    assert (timer.kind, early.outcome, decision.outcome) == ("", Outcome.STALE, Outcome.APPLIED)
    assert session.statuses() == {"t_ship#0": "failed"}
