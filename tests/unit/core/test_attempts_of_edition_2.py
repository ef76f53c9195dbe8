"""Attempts have one result each, and a timer during a cooldown. Statuses that the application sets close them."""

from __future__ import annotations

import itertools

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.commands import Outcome, SetTimer
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TaskStatusChanged,
    TimerFired,
)
from triggers.core.state.rows import due_timers
from triggers.core.statuses import RESOLVED, Status, may_be_set
from triggers.errors import WrongStatus

RULES = {"t_a": {"after": ["a"], "run": "app.A"}, "t_b": {"after": ["t_a"], "andEvery": "t_a", "run": "app.B"}}
RESULTS: list[Event] = [
    TaskFinished(instance="t_a#0", result=b'{"late":1}'),
    TaskFailed(instance="t_a#0", exception_type="app.E"),
    TaskStatusChanged(instance="t_a#0", status="parked"),
    TaskRetried(instance="t_a#0"),
]


def _session(*events: Event) -> MemorySession:
    session = MemorySession(RULES)
    session.fire("a")
    for event in events:
        session.apply(event)
    return session


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(RESULTS, [*RESULTS, TaskStarted(instance="t_a#0")]))
)
def test_only_the_first_result_of_an_attempt_counts(first: Event, second: Event) -> None:
    session = _session(TaskStarted(instance="t_a#0"), first)
    before = session.statuses()

    decision = session.apply(second)

    assert (decision.outcome, decision.commands, decision.fires) == (Outcome.STALE, [], [])
    assert session.statuses() == before


@pytest.mark.parametrize("result", RESULTS)
def test_a_result_of_an_instance_that_was_set_back_to_waiting_is_stale(result: Event) -> None:
    session = _session(StatusSet(instance="t_a#0", status="unstarted", force=True))

    decision = session.apply(result)

    assert decision.outcome is Outcome.STALE
    assert session.statuses() == {"t_a#0": "unstarted"}


@pytest.mark.parametrize("result", RESULTS)
def test_a_result_counts_although_the_start_was_lost(result: Event) -> None:
    assert _session().apply(result).outcome is Outcome.APPLIED


@pytest.mark.parametrize("attempt", [2, 99])
def test_another_attempts_result_is_stale(attempt: int) -> None:
    session = _session()

    assert session.apply(TaskFinished(instance="t_a#0", attempt=attempt)).outcome is Outcome.STALE
    assert session.apply(TaskFinished(instance="t_a#0", attempt=1)).outcome is Outcome.APPLIED


def test_a_second_start_is_stale() -> None:
    session = _session(TaskStarted(instance="t_a#0"))

    assert session.apply(TaskStarted(instance="t_a#0")).outcome is Outcome.STALE


def test_a_retry_without_cooldown_is_issued_at_once_one_deeper() -> None:
    decision = _session().apply(TaskRetried(instance="t_a#0"))

    assert scheduled(decision) == [("t_a#1", {"a": {}})]
    assert [getattr(command, "depth", None) for command in decision.commands] == [1]


def test_a_retry_with_cooldown_is_a_timer_row_until_it_is_due_and_then_one_command() -> None:
    session = _session()

    decision = session.apply(TaskRetried(instance="t_a#0", cooldown_ms=2500))

    due = len(session.log) * 1000 + 2500
    assert decision.commands == [SetTimer(session="q-1", instance="t_a#1", attempt=1, due=due)]
    assert list(due_timers(session.rows, due - 1)) == []
    assert list(due_timers(session.rows, due)) == decision.commands
    fired = TimerFired(instance="t_a#1", attempt=1)
    assert scheduled(session.apply(fired)) == [("t_a#1", {"a": {}})]
    assert session.apply(fired).outcome is Outcome.STALE
    assert list(due_timers(session.rows, due)) == []


def test_a_status_that_the_application_sets_deletes_the_timer_of_a_waiting_attempt() -> None:
    session = _session(TaskRetried(instance="t_a#0", cooldown_ms=2500))

    session.apply(StatusSet(instance="t_a#1", status="skipped"))

    assert list(due_timers(session.rows, 2**50)) == []
    assert session.apply(TimerFired(instance="t_a#1", attempt=1)).outcome is Outcome.STALE


@pytest.mark.parametrize("event", [ReplayRequested(instance="t_a#0"), SkipRequested(instance="t_a#0")])
def test_only_failed_instances_are_replayed_or_skipped_and_a_refusal_changes_nothing(event: Event) -> None:
    session = _session()
    rows = dict(session.rows)

    with pytest.raises(WrongStatus, match=r'^Instance "t_a#0 \(scheduled\)" in scheduled state cannot be '):
        session.apply(event)

    assert session.rows == rows


def test_created_is_the_time_of_creation_and_every_status_has_a_time() -> None:
    session = _session(TaskStarted(instance="t_a#0"), TaskFailed(instance="t_a#0", exception_type="app.E"))

    session.apply(ReplayRequested(instance="t_a#0"))

    first, clone = session.view().instances
    assert (first.created, first.modified, clone.created) == (2000, 5000, 5000)
    assert first.timestamps == {"scheduled": 2000, "running": 3000, "failed": 4000, "replayed": 5000}


def test_metadata_is_merged_and_the_status_stays() -> None:
    session = _session(MetadataUpdated(instance="t_a#0", metadata=b'{"k":1,"z":[1.0]}'))

    session.apply(MetadataUpdated(instance="t_a#0", metadata=b'{"k":2}'))

    assert {k: bytes(v) for k, v in session.view().instances[0].metadata.items()} == {"k": b"2", "z": b"[1.0]"}


def test_a_default_configuration_applies_only_to_a_session_without_one() -> None:
    session = MemorySession()
    for run in (b"one", b"two"):
        task = b'{"t": {"after": ["a"], "run": "%b"}}' % run
        session.apply(ConfigurationUpdated(configuration=task, if_absent=True))

    assert [task.run for task in session.view().tasks] == ["one"]


@pytest.mark.parametrize(("old", "new"), list(itertools.product(sorted(RESOLVED), sorted(Status))))
def test_a_resolved_instance_keeps_its_status(old: str, new: str) -> None:
    assert not may_be_set(old, new)


@pytest.mark.parametrize("new", [Status.UNSTARTED, Status.SCHEDULED, Status.REPLAYED])
def test_a_status_that_only_the_engine_sets_cannot_replace_one_of_the_framework(new: str) -> None:
    assert not any(may_be_set(old, new) for old in Status)


def test_a_status_of_the_application_may_follow_and_precede_unresolved_ones() -> None:
    open_ones = [status for status in Status if status not in RESOLVED]

    assert all(may_be_set(status, "parked") for status in open_ones)
    assert all(may_be_set("parked", status) for status in ("stage 2", Status.FINISHED, Status.FAILED, Status.SKIPPED))


def test_force_overrides_the_table() -> None:
    session = _session(TaskFinished(instance="t_a#0"))
    with pytest.raises(
        WrongStatus, match=r'^Instance "t_a#0 \(finished\)" in finished state cannot be set to "failed" without force!$'
    ):
        session.apply(StatusSet(instance="t_a#0", status="failed"))

    session.apply(StatusSet(instance="t_a#0", status="failed", force=True))

    assert session.statuses()["t_a#0"] == "failed"


def test_a_task_may_set_a_status_of_its_own_before_its_result() -> None:
    session = _session(TaskStarted(instance="t_a#0"), StatusSet(instance="t_a#0", status="half way"))

    decision = session.apply(TaskFinished(instance="t_a#0", result=b'{"r":1}'))

    assert scheduled(decision) == [("t_b#0", {"t_a": {"r": 1}})]


def test_a_status_that_the_application_sets_does_not_reopen_a_closed_attempt() -> None:
    session = _session(TaskStatusChanged(instance="t_a#0", status="parked"))
    session.apply(StatusSet(instance="t_a#0", status="running"))

    assert session.apply(TaskFinished(instance="t_a#0")).outcome is Outcome.STALE


@pytest.mark.parametrize("status", [Status.UNSTARTED, Status.SCHEDULED, Status.REPLAYED])
def test_a_status_that_only_the_engine_sets_cannot_replace_one_of_the_application(status: str) -> None:
    assert not may_be_set("parked", status)


def test_actual_kwargs_are_what_the_command_carried() -> None:
    session = _session(TaskRetried(instance="t_a#0", cooldown_ms=1))
    session.configure({"t_a": {"after": ["a"], "run": "app.A", "withParams": {"p": {"v": 2}}}})
    (command,) = session.apply(TimerFired(instance="t_a#1", attempt=1)).commands

    session.apply(TaskStarted(instance="t_a#1"))

    assert bytes(session.view().instances[1].metadata["actualKwargs"]) == getattr(command, "kwargs", None)


def test_metadata_set_later_replaces_the_result() -> None:
    session = _session(TaskFinished(instance="t_a#0", result=b'{"r":1}'))

    session.apply(MetadataUpdated(instance="t_a#0", metadata=b'{"result":{"r":2}}'))

    assert bytes(session.view().instances[0].metadata["result"]) == b'{"r":2}'
