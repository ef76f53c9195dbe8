"""The causes of each instance: events, operators, other instances."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession

from triggers.analysis.graph.cause import By
from triggers.analysis.graph.causes import CausedInstance, causes_of
from triggers.core.events import (
    CloneRequested,
    DeletionRequested,
    Event,
    ReplayRequested,
    SkipRequested,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TriggerFired,
)
from triggers.errors import InstanceNotFound, WrongStatus

RULES = {
    "t_import": {"after": ["page", "complete"], "andEvery": "page", "run": "app.import"},
    "t_report": {"after": ["t_import", "address"], "run": "app.report", "unless": ["embedded"]},
}


def session(*events: Event) -> MemorySession:
    found = MemorySession(RULES)
    for event in events:
        found.apply(event)
    return found


def fire(trigger: str) -> Event:
    return TriggerFired(trigger=trigger)


def caused(found: MemorySession) -> dict[str, CausedInstance]:
    return {one.name: one for one in causes_of(found.uid, found.log)}


def causes(one: CausedInstance) -> list[tuple[By, int, str | None, str | None]]:
    return [(cause.by, cause.event.offset, cause.trigger, cause.instance) for cause in one.causes]


def roots(one: CausedInstance) -> list[int]:
    return [event.offset for event in one.roots]


FAILED = TaskFailed(instance="t_import#0", attempt=1, exception_type="app.Broken")
FINISHED = TaskFinished(instance="t_import#0", attempt=1)


def test_the_events_that_gave_a_run_its_kwargs_are_its_causes() -> None:
    found = caused(session(fire("other"), fire("page"), fire("complete"), fire("complete")))

    assert causes(found["t_import#0"]) == [
        (By.APPLICATION, 3, "page", None),
        (By.APPLICATION, 4, "complete", None),
    ]
    assert roots(found["t_import#0"]) == [3, 4]


def test_after_a_cascade_the_roots_include_those_of_the_earlier_run() -> None:
    report = caused(session(fire("page"), fire("complete"), fire("address"), FINISHED))["t_report#0"]

    assert sorted(causes(report)) == [
        (By.APPLICATION, 4, "address", None),
        (By.RESULT, 5, "t_import", "t_import#0"),
    ]
    assert roots(report) == [2, 3, 4]


def test_a_later_instance_has_its_own_page_and_shares_the_rest() -> None:
    second = caused(session(fire("page"), fire("complete"), fire("page")))["t_import#1"]

    assert sorted(causes(second)) == [(By.APPLICATION, 3, "complete", None), (By.APPLICATION, 4, "page", None)]


def test_a_skip_with_a_result_is_caused_by_the_operator() -> None:
    skip = SkipRequested(instance="t_import#0", cascade=True)
    report = caused(session(fire("page"), fire("complete"), FAILED, skip))["t_report#0"]

    assert causes(report) == [(By.OPERATOR, 5, "t_import", "t_import#0")]
    assert roots(report) == [2, 3, 5]


def test_a_replay_comes_from_its_parent_and_the_operator() -> None:
    found = caused(session(fire("page"), fire("complete"), FAILED, ReplayRequested(instance="t_import#0")))

    assert causes(found["t_import#1"]) == [
        (By.PARENT, 5, None, "t_import#0"),
        (By.OPERATOR, 5, None, None),
    ]
    assert roots(found["t_import#1"]) == [2, 3, 5]


def test_a_retry_comes_from_its_parent_alone() -> None:
    found = caused(session(fire("page"), fire("complete"), TaskRetried(instance="t_import#0", attempt=1)))

    assert causes(found["t_import#1"]) == [(By.PARENT, 4, None, "t_import#0")]


def test_a_copy_that_waited_is_also_caused_by_later_events() -> None:
    found = caused(session(fire("page"), CloneRequested(instance="t_import#0"), fire("complete")))

    assert (By.APPLICATION, 4, "complete", None) in causes(found["t_import#1"])
    assert (By.APPLICATION, 2, "page", None) not in causes(found["t_import#1"])


def test_causes_of_an_abandonment_are_marked() -> None:
    report = caused(session(fire("address"), fire("embedded")))["t_report#0"]

    assert report.status == "abandoned"
    assert [(cause.trigger, cause.unless) for cause in report.causes] == [("address", False), ("embedded", True)]


def test_a_refused_event_causes_nothing() -> None:
    found = session(fire("page"), fire("complete"))
    with pytest.raises(WrongStatus):
        found.apply(ReplayRequested(instance="t_import#0"))
    refused = ReplayRequested(instance="t_import#0", position=4, time=4000)

    assert causes_of(found.uid, [*found.log, refused]) == causes_of(found.uid, found.log)


def test_a_deleted_session_begins_anew() -> None:
    found = session(fire("page"), fire("complete"), DeletionRequested())
    found.configure(RULES)
    found.fire("page")

    assert [roots(one) for one in causes_of(found.uid, found.log)] == [[6]]


def test_one_instance_comes_with_all_that_led_to_it() -> None:
    found = session(fire("page"), fire("complete"), FINISHED, fire("page"))

    assert [one.name for one in causes_of(found.uid, found.log, "t_report#0")] == ["t_import#0", "t_report#0"]
    with pytest.raises(InstanceNotFound, match="t_report#7"):
        causes_of(found.uid, found.log, "t_report#7")
