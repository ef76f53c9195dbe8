"""A deleted session leaves a grave for a week, and none of its state can reappear."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core import deletion
from triggers.core.commands import Outcome, RunTask, SetTimer
from triggers.core.engine import apply
from triggers.core.events import (
    ConfigurationUpdated,
    DeletionRequested,
    Event,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.header_codec import decode_header
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, due_timers, header_key, session_prefix
from triggers.core.state.session import Session
from triggers.core.view import summarize_header
from triggers.errors import BeingDeleted, InstanceNotFound, TriggersError

DAY = 86_400_000
RULES = {
    "t_page": {"after": [], "andEvery": "page", "run": "app.Page", "timeouts": {"scheduled": 60}},
    "t_done": {"after": ["t_page", "never"], "run": "app.Done"},
}


def _session(pages: int = 3, limits: dict[str, object] | None = None) -> MemorySession:
    session = MemorySession({**RULES, "$limits": limits or {}})
    for number in range(pages):
        session.apply(TriggerFired(trigger="page", kwargs=b'{"n":%d}' % number, id=f"id-{number}"))
    return session


def _timers(session: MemorySession) -> list[SetTimer]:
    return list(due_timers(session.rows, 2**60))


def _fire_next(session: MemorySession) -> Outcome:
    """Applies the earliest timer at its due time."""
    timer = _timers(session)[0]
    event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due)
    return session.apply_at(event, now=timer.due).outcome


def _own_rows(session: MemorySession) -> list[bytes]:
    return [key for key, _ in session.rows.scan(session_prefix(session.uid))]


def test_nothing_is_left_of_a_deleted_session_but_its_grave() -> None:
    session = _session()
    session.apply(TaskFinished(instance="t_page#0", result=b'{"r":1}'))
    assert len(_own_rows(session)) > 3

    assert session.apply(DeletionRequested()).outcome is Outcome.DELETED

    assert _own_rows(session) == []
    assert not session.load().exists
    assert summarize_header("q-1", session.rows[header_key("q-1")]) is None
    assert [timer.instance for timer in _timers(session)] == [""]
    assert len(session.rows[header_key("q-1")]) < 100


def test_the_grave_is_removed_after_a_week() -> None:
    session = _session()
    session.apply(DeletionRequested())
    (timer,) = _timers(session)
    assert timer.due == len(session.log) * 1000 + 7 * DAY

    assert _fire_next(session) is Outcome.DELETED

    assert [key[:1] for key in session.rows] == [b"c"]  # the configuration, which other sessions may have too


@pytest.mark.parametrize(
    "late",
    [
        TaskStarted(instance="t_page#0", attempt=1),
        TaskFinished(instance="t_page#0", attempt=1, result=b'{"r":1}'),
        TaskFinished(instance="t_page#0"),
        TaskFailed(instance="t_page#1", attempt=1, exception_type="E"),
        TaskRetried(instance="t_page#1", attempt=1),
        TimerFired(instance="t_page#0", attempt=1, due=62_000),
        DeletionRequested(),
    ],
)
def test_late_events_of_a_deleted_session_are_stale_and_bring_nothing_back(late: Event) -> None:
    session = _session()
    session.apply(DeletionRequested())
    rows = dict(session.rows)

    assert session.apply(late).outcome is Outcome.STALE
    assert session.rows == rows


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize(
    "event",
    [
        ReplayRequested(instance="t_page#0"),
        SkipRequested(instance="t_page#0"),
        StatusSet(instance="t_page#0", status="finished"),
        MetadataUpdated(instance="t_page#0", metadata=b"{}"),
    ],
)
def test_an_operation_on_an_instance_of_a_deleted_session_is_refused(event: Event, forgotten: bool) -> None:
    session = _session()
    session.apply(DeletionRequested())
    if forgotten:
        _fire_next(session)
    rows = dict(session.rows)

    with pytest.raises(InstanceNotFound):
        session.apply(event)

    assert session.rows == rows


@pytest.mark.parametrize("event", [TaskFinished(instance="t_page#0"), TaskStarted(instance="t_page#0", attempt=1)])
def test_a_result_for_a_session_that_never_was_is_refused_and_creates_none(event: Event) -> None:
    session = MemorySession()

    with pytest.raises(InstanceNotFound):
        session.apply(event)

    assert session.rows == {}


def test_a_new_session_of_the_same_uid_takes_no_result_of_the_old_one() -> None:
    session = _session()
    session.apply(DeletionRequested())
    session.configure(RULES)
    (command,) = [c for c in session.fire("page").commands if isinstance(c, RunTask)]

    assert command.instance == "t_page#0"
    assert command.attempt > 1_000_000
    assert session.apply(TaskFinished(instance="t_page#0", attempt=1)).outcome is Outcome.STALE
    assert session.apply(TaskFinished(instance="t_page#0", attempt=command.attempt)).outcome is Outcome.APPLIED
    assert [timer.instance for timer in _timers(session)] == []
    assert session.view().created == (len(session.log) - 3) * 1000


def test_two_lives_of_a_uid_share_no_attempt() -> None:
    session, attempts = _session(), set[int]()
    for _ in range(3):
        session.apply(DeletionRequested())
        session.configure(RULES)
        attempts |= {c.attempt for c in session.fire("page").commands if isinstance(c, RunTask)}

    assert len(attempts) == 3


def test_a_new_session_does_not_remember_event_ids_of_the_old_one() -> None:
    session = _session()
    session.apply(DeletionRequested())

    assert session.apply(TriggerFired(trigger="page", id="id-0")).outcome is Outcome.UNUSED


def test_an_overdue_attempt_of_a_second_life_has_as_many_attempts() -> None:
    session = _session()
    session.apply(DeletionRequested())
    session.configure(RULES)
    session.fire("page")

    outcomes = [_fire_next(session) for _ in range(3)]

    assert outcomes == [Outcome.APPLIED] * 3
    assert session.statuses() == {"t_page#0": "failed"}


def test_a_large_session_goes_in_steps_and_takes_no_new_events_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "ROWS_AT_ONCE", 10)
    session = _session(pages=20)
    total = len(_own_rows(session))
    session.apply(DeletionRequested())
    assert len(_own_rows(session)) == total - 10
    with pytest.raises(BeingDeleted, match="'q-1' is being deleted; send the event again"):
        session.fire("page")
    assert session.apply(TaskFinished(instance="t_page#19")).outcome is Outcome.STALE

    steps = 0
    while _own_rows(session):
        assert _timers(session)[0].instance == ""
        assert _fire_next(session) is Outcome.DELETED
        steps += 1

    assert steps == (total - 1) // 10
    assert len(_timers(session)) == 1  # the timer of the grave; those of the instances were deleted with them
    assert session.fire("page").outcome is Outcome.UNUSED


@pytest.mark.parametrize("cut", range(9))
def test_batches_make_no_difference_to_a_deletion(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "ROWS_AT_ONCE", 5)
    session = _session(pages=4)
    session.apply(DeletionRequested())
    while session.load().header.sweeping:
        _fire_next(session)
    session.fire("again")
    rows = MemoryRows()

    for part in (session.log[:cut], session.log[cut:]):
        loaded = Session("q-1", rows, Plans())
        for event in part:
            apply(loaded, event)
        rows.write(loaded.changes())

    assert rows == session.rows


@pytest.mark.parametrize("by_time", [False, True])
def test_the_events_in_the_index_of_a_new_session_lead_to_the_same_session(by_time: bool) -> None:
    session = _session(limits={"sessionTtl": 3600})
    if by_time:
        while _fire_next(session) is not Outcome.DELETED:
            pass
    else:
        session.apply(DeletionRequested())
    session.configure(RULES)
    session.fire("page")

    indexed = [session.log[position - 1] for position in session.load().positions()]
    alone = Session("q-1", MemoryRows(), Plans())
    for event in indexed:
        apply(alone, event)

    assert len(indexed) == 3
    (key,) = [key for key in alone.changes() if key == header_key("q-1")]
    assert alone.header == decode_header(session.rows[key])


@pytest.mark.parametrize("due", [0, 1, 10**15])
def test_a_timer_that_the_session_has_not_set_is_stale(due: int) -> None:
    session = _session()

    assert session.apply(TimerFired(instance="", attempt=0, due=due)).outcome is Outcome.STALE
    assert session.load().exists


def test_a_refused_event_does_not_end_the_grave() -> None:
    session = _session()
    session.apply(DeletionRequested())
    rows = dict(session.rows)

    with pytest.raises(TriggersError):
        session.apply(ConfigurationUpdated(configuration=b'{"t": {"after": 3}}'))

    assert session.rows == rows


def test_scheduled_work_of_a_deleted_session_leaves_no_timer() -> None:
    session = _session()
    assert len(scheduled(session.fire("page"))) == 1
    assert len(_timers(session)) == 4

    session.apply(DeletionRequested())

    assert [timer.instance for timer in _timers(session)] == [""]


def test_a_session_that_begins_again_has_the_clock_of_its_first_event() -> None:
    rules = b'{"$edition": 2, "t_a": {"after": ["go"], "run": "app.A", "delay": "1m"}}'
    session = MemorySession()
    session.apply(ConfigurationUpdated(configuration=rules))
    session.apply_at(DeletionRequested(), now=50_000)
    session.apply_at(TaskStarted(instance="t_a#0"), now=60_000)
    assert session.header().clock == 0

    session.apply_at(ConfigurationUpdated(configuration=rules), now=70_000)
    assert session.header().clock == 70_000
    session.apply_at(TriggerFired(trigger="go"), now=65_000)

    assert session.header().clock == 70_000
    assert [timer.due for timer in _timers(session)] == [130_000]
