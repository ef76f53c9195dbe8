"""A session that is idle for its `sessionTtl` is deleted. One that is active has a single timer."""

from __future__ import annotations

from tests.support.memory_session import MemorySession

from triggers.core.commands import Outcome, SetTimer
from triggers.core.events import TimerFired, TriggerFired
from triggers.core.state.rows import due_timers


def _timers(session: MemorySession) -> list[SetTimer]:
    return list(due_timers(session.rows, 2**60))


def _fire_next(session: MemorySession) -> Outcome:
    """Applies the earliest timer at its due time."""
    timer = _timers(session)[0]
    event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due)
    return session.apply_at(event, now=timer.due).outcome


def test_an_idle_session_is_deleted_and_an_active_one_is_not() -> None:
    session = MemorySession({"$limits": {"sessionTtl": 100}})  # created at 1 s
    session.apply_at(TriggerFired(trigger="a"), now=50_000)
    assert [timer.due for timer in _timers(session)] == [101_000]

    assert _fire_next(session) is Outcome.UNUSED
    assert [timer.due for timer in _timers(session)] == [150_000]
    assert session.load().exists
    assert _fire_next(session) is Outcome.DELETED
    assert not session.load().exists


def test_a_timer_that_comes_too_early_deletes_nothing() -> None:
    session = MemorySession({"$limits": {"sessionTtl": 100}})
    (timer,) = _timers(session)
    event = TimerFired(instance="", attempt=0, due=timer.due)

    assert session.apply_at(event, now=timer.due - 1).outcome is Outcome.STALE
    assert session.load().exists
    assert _timers(session) == [timer]


def test_an_active_session_has_one_timer_for_any_number_of_events() -> None:
    session = MemorySession({"$limits": {"sessionTtl": 100}})

    wrote = [session.fire("a").commands for _ in range(50)]

    assert wrote == [[]] * 50
    assert len(_timers(session)) == 1


def test_a_shorter_time_to_live_holds_at_once_and_none_ends_it() -> None:
    session = MemorySession({"$limits": {"sessionTtl": 1000}})

    session.configure({"$limits": {"sessionTtl": 10}})
    assert [timer.due for timer in _timers(session)] == [12_000]

    session.configure({"$limits": {}})
    assert _fire_next(session) is Outcome.UNUSED
    assert _timers(session) == []
    assert session.load().exists


def test_without_a_time_to_live_a_session_has_no_timer_and_keeps_no_time() -> None:
    session = MemorySession({"t": {"after": ["a"], "run": "r"}})
    session.fire("a")

    assert _timers(session) == []
    assert session.header().last == 0
