"""A session that changes from edition 1 to edition 2 keeps what it knows of its triggers, instances and timers."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.commands import Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.events import (
    AdoptionRequested,
    CloneRequested,
    ConfigurationUpdated,
    RulesPublished,
    SessionImported,
    TaskFailed,
    TaskRetried,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.plans import Plans
from triggers.core.state.rows import due_timers

WAITS = {"t_ship": {"after": ["packed", "loaded"], "run": "shop.ship"}}
ORDERED = {"sequence": ["packed", "loaded"], "within": "6s"}


def _fire(session: MemorySession, trigger: str, at: int) -> Decision:
    return session.apply_at(TriggerFired(trigger=trigger, kwargs=b"{}"), now=at)


def _configure(session: MemorySession, rules: dict[str, object], at: int) -> Decision:
    return session.apply_at(ConfigurationUpdated(configuration=json.dumps(rules).encode()), now=at)


def _edition_2(**rule: object) -> dict[str, object]:
    return {"$edition": 2, "t_ship": {"run": "shop.ship"} | rule}


def _publish(session: MemorySession, version: int, rules: Mapping[str, object]) -> None:
    text = json.dumps(rules).encode()
    event = RulesPublished(name="shop", version=version, configuration=text, is_default=True, existing="adopt")
    session.rows.write(Plans().publish(event, session.rows))


def _run_next_timer(session: MemorySession) -> Decision:
    timer = next(due_timers(session.rows, 1 << 60))
    event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
    return session.apply_at(event, now=timer.due)


@pytest.mark.parametrize(("loaded", "status"), [(7_000, "scheduled"), (7_001, "unstarted")])
def test_what_a_waiting_instance_holds_is_as_old_as_its_fire(loaded: int, status: str) -> None:
    session = MemorySession(WAITS)
    _fire(session, "packed", 1_000)
    _fire(session, "packed", 5_000)  # the instance has it already

    _configure(session, _edition_2(after=ORDERED), 6_000)
    _fire(session, "loaded", loaded)

    assert session.statuses() == {"t_ship#0": status}


@pytest.mark.parametrize(("loaded", "status"), [(7_000, "scheduled"), (7_001, "unstarted")])
def test_so_it_is_if_it_came_to_an_instance_that_waited(loaded: int, status: str) -> None:
    session = MemorySession({"t_ship": {"after": ["packed", "loaded"], "andEvery": "ordered", "run": "shop.ship"}})
    _fire(session, "ordered", 500)
    _fire(session, "packed", 1_000)
    _fire(session, "packed", 5_000)

    _configure(session, _edition_2(after=ORDERED, andEvery="ordered"), 6_000)
    _fire(session, "loaded", loaded)

    assert session.statuses() == {"t_ship#0": status}


def test_the_copy_of_a_waiting_instance_holds_the_same_fires() -> None:
    session = MemorySession(WAITS)
    _fire(session, "packed", 1_000)
    session.apply_at(CloneRequested(instance="t_ship#0"), now=4_000)

    _configure(session, _edition_2(after=ORDERED), 6_000)
    _fire(session, "loaded", 7_001)

    assert session.statuses() == {"t_ship#0": "unstarted", "t_ship#1": "unstarted"}


@pytest.mark.parametrize(("paid", "status"), [(6_999, "abandoned"), (7_001, "unstarted")])
def test_what_has_counted_against_an_instance_is_as_old_as_its_fire(paid: int, status: str) -> None:
    session = MemorySession({"t_ship": {"after": ["packed", "loaded"], "unless": ["left", "paid"], "run": "shop.ship"}})
    _fire(session, "packed", 500)
    _fire(session, "left", 1_000)
    _fire(session, "left", 5_000)

    stopped = {"sequence": ["left", "paid"], "within": "6s"}
    _configure(session, _edition_2(after=["packed", "loaded"], unless=stopped), 6_000)
    _fire(session, "paid", paid)

    assert session.statuses() == {"t_ship#0": status}


@pytest.mark.parametrize(("first", "second", "count"), [("packed", "loaded", 1), ("loaded", "packed", 0)])
def test_triggers_of_one_moment_have_their_order(first: str, second: str, count: int) -> None:
    session = MemorySession({"t_other": {"after": ["other"], "run": "shop.other"}})
    _fire(session, first, 1_000)
    _fire(session, second, 1_000)

    _configure(session, _edition_2(after={"sequence": ["packed", "loaded"]}, andEvery="ordered"), 1_000)

    assert len(scheduled(_fire(session, "ordered", 1_000))) == count


@pytest.mark.parametrize(
    ("when", "count"),
    [
        ("event.id == 'e-1'", 1),
        ("event.source == 'shop'", 1),
        ("event.time == 990", 1),
        ("event.id == null", 0),
        ("event.time == 1000", 0),
    ],
)
def test_an_expression_sees_the_event_that_came_before_the_change(when: str, count: int) -> None:
    session = MemorySession({"t_other": {"after": ["packed"], "andEvery": "packed", "run": "shop.other"}})
    event = TriggerFired(trigger="packed", kwargs=b"{}", id="e-1", source="shop", time=990)
    session.apply_at(event, now=1_000)

    leaf = {"trigger": "packed", "when": when}
    _configure(session, _edition_2(after=[leaf], andEvery="ordered"), 2_000)

    assert len(scheduled(_fire(session, "ordered", 3_000))) == count


def test_a_session_that_adopts_rules_of_edition_2_knows_its_fires_as_well() -> None:
    session = MemorySession()
    _publish(session, 1, WAITS)
    _fire(session, "packed", 1_000)
    _fire(session, "packed", 5_000)

    _publish(session, 2, _edition_2(after=ORDERED))
    _fire(session, "loaded", 7_001)

    assert session.view().edition == 2
    assert session.statuses() == {"t_ship#0": "unstarted"}


def test_a_configured_session_that_an_operator_binds_to_rules_of_edition_2_knows_them_too() -> None:
    session = MemorySession(WAITS)
    _fire(session, "packed", 1_000)
    _fire(session, "packed", 5_000)
    event = RulesPublished(name="shop", version=1, configuration=json.dumps(_edition_2(after=ORDERED)).encode())
    session.rows.write(Plans().publish(event, session.rows))

    session.apply_at(AdoptionRequested(name="shop", version=1), now=6_000)
    _fire(session, "loaded", 7_001)

    assert session.view().edition == 2
    assert session.statuses() == {"t_ship#0": "unstarted"}


def test_a_refused_change_leaves_the_session_as_it_was() -> None:
    session = MemorySession()
    _publish(session, 1, {"t_ship": WAITS["t_ship"] | {"owner": "me"}, "t_own": {"after": ["a"], "run": "shop.own"}})
    _fire(session, "packed", 1_000)

    _publish(session, 2, {"$edition": 2, "t_own": {"after": ["a"], "run": "shop.own"}})
    _fire(session, "noticed", 1_500)

    rules = session.view().rules
    assert rules is not None
    assert "'owner'" in rules.pending
    assert session.header().edition_2 is None
    assert scheduled(_fire(session, "loaded", 2_000)) == [("t_ship#0", {"packed": {}, "loaded": {}})]


def test_an_imported_session_counts_its_triggers_as_fired_by_the_import() -> None:
    session = MemorySession()
    state = {"configuration": WAITS, "latest_kwargs": {"packed": {"n": 1}}}
    session.apply_at(SessionImported(state=json.dumps(state).encode()), now=1_000)
    _fire(session, "noticed", 5_000)

    _configure(session, _edition_2(after={"all": ["packed", "loaded"], "within": "6s"}, andEvery="ordered"), 6_000)

    assert scheduled(_fire(session, "loaded", 7_001)) == []
    assert scheduled(_fire(session, "ordered", 7_002)) == []


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
