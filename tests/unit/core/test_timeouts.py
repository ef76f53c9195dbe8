"""An overdue attempt is issued again, and the instance fails after the last one."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.commands import Outcome, RunTask, SetTimer
from triggers.core.events import (
    Event,
    MetadataUpdated,
    ReplayRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TaskStatusChanged,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.rows import due_timers

TIMEOUTS = {"scheduled": 60, "running": 10, "attempts": 3}
RULES = {"t_a": {"after": ["a"], "run": "app.A", "timeouts": TIMEOUTS}, "t_b": {"after": ["t_a"], "run": "app.B"}}
ENDS: list[Event] = [
    TaskFinished(instance="t_a#0"),
    TaskFailed(instance="t_a#0", exception_type="E"),
    TaskStatusChanged(instance="t_a#0", status="parked"),
    StatusSet(instance="t_a#0", status="skipped"),
    StatusSet(instance="t_a#0", status="half way"),
]


def _session(*events: Event) -> MemorySession:
    session = MemorySession(RULES)
    session.fire("a")
    for event in events:
        session.apply(event)
    return session


def _timers(session: MemorySession) -> list[SetTimer]:
    return list(due_timers(session.rows, 2**60))


def _fire_next(session: MemorySession) -> list[str]:
    """Applies the earliest timer and returns the ids of the commands that it causes."""
    timer = _timers(session)[0]
    decision = session.apply_at(
        TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due), now=timer.due
    )
    assert decision.outcome is Outcome.APPLIED
    return [command.id for command in decision.commands if isinstance(command, RunTask)]


def test_a_command_has_a_timer_and_so_has_a_running_attempt() -> None:
    session = _session()
    issued = len(session.log) * 1000

    assert _timers(session) == [SetTimer(session="q-1", instance="t_a#0", attempt=1, due=issued + 60_000)]
    session.apply(TaskStarted(instance="t_a#0"))
    assert [timer.due for timer in _timers(session)] == [issued + 1000 + 10_000]
    assert session.view().instances[0].deadline == issued + 11_000


@pytest.mark.parametrize("start", [[], [TaskStarted(instance="t_a#0")]])
@pytest.mark.parametrize("end", ENDS)
def test_every_event_that_ends_an_attempt_deletes_its_timer(start: list[Event], end: Event) -> None:
    assert _timers(_session(*start, end)) == []


def test_an_overdue_attempt_is_issued_again_and_the_old_ones_result_is_stale() -> None:
    session = _session(TaskStarted(instance="t_a#0", attempt=1))

    assert _fire_next(session) == ["q-1/t_a#0/2"]

    assert session.statuses()["t_a#0"] == "scheduled"
    assert session.apply(TaskStarted(instance="t_a#0", attempt=1)).outcome is Outcome.STALE
    assert session.apply(TaskFinished(instance="t_a#0", attempt=1)).outcome is Outcome.STALE
    decision = session.apply(TaskFinished(instance="t_a#0", attempt=2))
    assert [name for name, _ in scheduled(decision)] == ["t_b#0"]


def test_after_the_last_attempt_the_instance_fails_and_tells_why() -> None:
    session = _session()

    issued = [_fire_next(session) for _ in range(3)]

    assert issued == [["q-1/t_a#0/2"], ["q-1/t_a#0/3"], []]
    instance = session.view().instances[0]
    assert (instance.status, instance.attempt, instance.deadline) == ("failed", 3, None)
    assert bytes(instance.metadata["exceptionType"]) == b'"triggers.TimedOut"'
    assert bytes(instance.metadata["exceptionContext"]) == b'{"status":"scheduled","attempts":3}'
    assert _timers(session) == []
    assert session.apply(TaskFinished(instance="t_a#0", attempt=3)).outcome is Outcome.STALE


def test_a_replay_of_a_timed_out_instance_has_all_its_attempts() -> None:
    session = _session()
    for _ in range(3):
        _fire_next(session)

    session.apply(ReplayRequested(instance="t_a#0"))

    assert [_fire_next(session) for _ in range(3)] == [["q-1/t_a#1/2"], ["q-1/t_a#1/3"], []]


def test_a_timer_that_fires_twice_or_for_another_time_is_stale() -> None:
    session = _session()
    (timer,) = _timers(session)
    fired = TimerFired(instance="t_a#0", attempt=1, due=timer.due)

    for event in (
        TimerFired(instance="t_a#0", attempt=1, due=timer.due - 1),
        TimerFired(instance="t_a#0", attempt=1),
        TimerFired(instance="t_a#0", attempt=2, due=timer.due),
    ):
        assert session.apply_at(event, now=timer.due).outcome is Outcome.STALE
    assert session.apply(fired).outcome is Outcome.APPLIED
    assert session.apply(fired).outcome is Outcome.STALE


@pytest.mark.parametrize("cooldown", [False, True])
def test_a_timer_that_comes_too_early_is_stale(cooldown: bool) -> None:
    """A worker whose clock is an hour ahead would otherwise use up all attempts before the first one can run."""
    session = _session(*([TaskRetried(instance="t_a#0", cooldown_ms=5000)] if cooldown else []))
    (timer,) = _timers(session)
    fired = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due)

    assert session.apply_at(fired, now=timer.due - 1).outcome is Outcome.STALE
    assert _timers(session) == [timer]
    assert session.apply_at(fired, now=timer.due).outcome is Outcome.APPLIED


def test_the_time_after_a_cooldown_counts_from_the_command() -> None:
    session = _session(TaskRetried(instance="t_a#0", cooldown_ms=5000))
    (cooldown,) = _timers(session)
    over = TimerFired(instance="t_a#1", attempt=1, due=cooldown.due)

    assert [name for name, _ in scheduled(session.apply_at(over, now=cooldown.due))] == ["t_a#1"]

    assert [timer.due for timer in _timers(session)] == [cooldown.due + 60_000]
    assert session.apply(over).outcome is Outcome.STALE


@pytest.mark.parametrize("own_time", [1, 10**13])
def test_timers_count_from_the_timestamps_of_records_not_of_producers(own_time: int) -> None:
    session = MemorySession(RULES)

    session.apply_at(TriggerFired(trigger="a", time=own_time), now=7_000)

    assert [timer.due for timer in _timers(session)] == [67_000]
    assert session.view().instances[0].created == own_time


def test_metadata_leaves_the_timer_alone() -> None:
    assert len(_timers(_session(MetadataUpdated(instance="t_a#0", metadata=b"{}")))) == 1


def test_a_task_without_timeouts_has_no_timer() -> None:
    session = _session(TaskFinished(instance="t_a#0"))

    assert session.statuses()["t_b#0"] == "scheduled"
    assert _timers(session) == []


def test_timeouts_that_are_configured_later_hold_for_the_next_status() -> None:
    session = MemorySession({"t_a": {"after": ["a"], "run": "app.A"}})
    session.fire("a")

    session.configure({"$limits": {"timeouts": {"running": 1}}})
    assert _timers(session) == []
    session.apply(TaskStarted(instance="t_a#0"))

    assert len(_timers(session)) == 1
