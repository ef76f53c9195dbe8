"""Limits of a configuration are validated, and end an endless cascade."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from tests.support.memory_session import MemorySession, scheduled

from triggers.core.commands import Outcome
from triggers.core.config import compile_plan
from triggers.core.decision import Decision
from triggers.core.events import ReplayRequested, SkipRequested, TaskFailed, TaskFinished, TaskRetried
from triggers.core.session_limits import DEFAULT_LIMITS, Limits, Timeouts
from triggers.errors import InvalidConfiguration

Rules = Mapping[str, object]

ROUND: Rules = {
    "t_ping": {"after": [], "andEvery": "t_pong", "run": "app.Ping"},
    "t_pong": {"after": [], "andEvery": "t_ping", "run": "app.Pong"},
}
ENDLESS: Rules = {"t_page": {"after": [], "andEvery": "t_page", "run": "app.Page"}}


def _limited(depth: int, rules: Rules = ENDLESS) -> MemorySession:
    return MemorySession({"$limits": {"maxCascadeDepth": depth}, **rules})


def _finish_all(session: MemorySession, decision: Decision, limit: int = 5000) -> list[Decision]:
    """Finishes the scheduled instances until no instance is scheduled. Returns all decisions."""
    decisions = [decision]
    while scheduled(decisions[-1]) and len(decisions) < limit:
        name = scheduled(decisions[-1])[0][0]
        decisions.append(session.apply(TaskFinished(instance=name, attempt=1)))
    return decisions


def test_limits_are_read_once_in_milliseconds() -> None:
    limited = {"after": ["a"], "run": "app.A", "timeouts": {"running": 0.5, "attempts": 1}}
    limits = {"maxCascadeDepth": 7, "sessionTtl": 60, "timeouts": {"scheduled": 2}}

    plan = compile_plan(
        json.dumps({"t_own": limited, "$limits": limits, "t": {"after": ["a"], "run": "app.A"}}).encode()
    )

    assert plan.limits == Limits(max_cascade_depth=7, session_ttl=60_000, timeouts=Timeouts(scheduled=2_000))
    assert list(plan.tasks) == ["t_own", "t"]
    assert plan.tasks["t_own"].timeouts == Timeouts(running=500, attempts=1)
    assert plan.tasks["t_own"].extra == {}
    assert plan.tasks["t"].timeouts == Timeouts(scheduled=2_000, attempts=3)


def test_without_limits_there_are_no_timeouts_and_no_end_of_a_session() -> None:
    assert compile_plan(b"{}").limits == DEFAULT_LIMITS == Limits(max_cascade_depth=1000, session_ttl=0)


def test_limits_are_replaced_as_a_whole_like_a_task() -> None:
    session = MemorySession({"$limits": {"maxCascadeDepth": 7, "sessionTtl": 9}})

    session.configure({"$limits": {"sessionTtl": 8}})

    assert session.load().plan.limits == Limits(session_ttl=8_000)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"maxCascadeDeph": 3}, "unknown field `maxCascadeDeph`; its keys are maxCascadeDepth"),
        ({"maxCascadeDepth": 0}, ">= 1"),
        ({"maxCascadeDepth": "many"}, "Expected `int"),
        ({"sessionTtl": 0}, "> 0"),
        ({"sessionTtl": -5}, "> 0"),
        ({"sessionTtl": 1e300}, "<= 3153600000"),
        ({"timeouts": {"runing": 3}}, "unknown field `runing`"),
        ([], "Expected `object`"),
    ],
)
def test_a_wrong_limit_is_refused_with_its_name_and_the_valid_keys(limits: object, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"^'\$limits': ") as refused:
        compile_plan(json.dumps({"$limits": limits}).encode())

    assert message in str(refused.value)
    assert "times are in seconds" in str(refused.value)


def test_a_wrong_timeout_names_its_task() -> None:
    with pytest.raises(InvalidConfiguration, match=r"^task 't': 'timeouts': .*>= 1"):
        compile_plan(b'{"t": {"after": [], "run": "r", "timeouts": {"attempts": 0}}}')


@pytest.mark.parametrize(("rules", "trigger"), [(ENDLESS, "t_page"), (ROUND, "t_pong")])
def test_an_endless_cascade_ends_with_a_failed_instance_that_says_why(rules: Rules, trigger: str) -> None:
    session = _limited(5, rules)
    decisions = _finish_all(session, session.fire(trigger))

    last = session.view().instances[-1]
    assert len(decisions) == 1 + 6  # the first instance and five that results led to
    assert [decision.outcome for decision in decisions] == [Outcome.APPLIED] * 6 + [Outcome.STOPPED]
    assert (last.status, last.attempt) == ("failed", 0)
    assert bytes(last.metadata["exceptionType"]) == b'"triggers.CascadeTooDeep"'
    assert bytes(last.metadata["exceptionContext"]) == b'{"maxCascadeDepth":5}'
    assert decisions[-1].fires[0].scheduled == ()


def test_an_endless_cascade_ends_after_a_thousand_results_by_default() -> None:
    session = MemorySession(ENDLESS)

    assert len(_finish_all(session, session.fire("t_page"))) == 1 + 1001


def test_an_event_from_outside_begins_a_new_count() -> None:
    rules = {"t_sum": {"after": ["page"], "andEvery": "page", "run": "app.Sum"}}
    session = _limited(1, {**rules, "t_next": {"after": ["t_sum"], "andEvery": "t_sum", "run": "app.Next"}})

    for _ in range(5):
        for decision in _finish_all(session, session.fire("page")):
            assert decision.outcome in {Outcome.APPLIED, Outcome.UNUSED}

    assert set(session.statuses().values()) == {"finished"}


def test_an_instance_that_an_event_from_outside_starts_does_not_count_earlier_results() -> None:
    rules = {"t_both": {"after": ["t_page", "go"], "run": "app.Both"}, **ENDLESS}
    session = _limited(2, rules)
    _finish_all(session, session.fire("t_page"))

    assert [name for name, _ in scheduled(session.fire("go"))] == ["t_both#0"]
    assert session.apply(TaskFinished(instance="t_both#0")).outcome is Outcome.APPLIED


def test_a_retry_keeps_the_count_and_a_replay_by_an_operator_begins_anew() -> None:
    session = _limited(2)
    session.fire("t_page")
    session.apply(TaskFinished(instance="t_page#0"))
    session.apply(TaskRetried(instance="t_page#1"))
    session.apply(TaskFinished(instance="t_page#2"))
    assert session.apply(TaskFinished(instance="t_page#3")).outcome is Outcome.STOPPED

    assert [name for name, _ in scheduled(session.apply(ReplayRequested(instance="t_page#4")))] == ["t_page#5"]
    assert session.apply(TaskFinished(instance="t_page#5")).outcome is Outcome.APPLIED


def test_a_stopped_cascade_may_be_skipped_and_its_reports_are_stale() -> None:
    session = _limited(1)
    _finish_all(session, session.fire("t_page"))
    stopped = session.view().instances[-1].name

    assert session.apply(TaskFailed(instance=stopped, exception_type="E")).outcome is Outcome.STALE
    assert session.apply(SkipRequested(instance=stopped)).outcome is Outcome.APPLIED
    assert session.view().unresolved_instances == []
