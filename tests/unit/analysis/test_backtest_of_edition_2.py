"""Back-tests with rules of edition 2: timers are regenerated, and what cannot be known is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.analysis.test_backtest import _changes, _compare, _finish, _fire, _log

from triggers.analysis.backtest.change_words import change_words, remark_lines
from triggers.analysis.backtest.difference import ForwardDifference, OpenTimer, RunChange
from triggers.cli import main
from triggers.codec.event_lines import encode_line
from triggers.core.events import Event, TaskFailed, TimerFired

REMIND: dict[str, Any] = {
    "$edition": 2,
    "t_remind": {"after": ["ordered"], "unless": ["paid"], "delay": "10s", "run": "app.remind"},
}
PLAIN: dict[str, Any] = {"t_ship": {"after": ["paid"], "run": "app.ship"}}


def _changed(**directives: object) -> dict[str, Any]:
    return {"$edition": 2, "t_remind": REMIND["t_remind"] | directives}


def _timer(at: int, instance: str, kind: str, due: int) -> Event:
    return TimerFired(position=at, time=at * 1000, instance=instance, attempt=0, kind=kind, due=due * 1000)


def _failed(at: int, instance: str, attempt: int = 1) -> Event:
    return TaskFailed(position=at, time=at * 1000, instance=instance, attempt=attempt, exception_type="app.Busy")


def test_a_timer_of_the_new_rules_fires_before_the_next_record() -> None:
    log = _log(PLAIN, _fire(1, "ordered"), _fire(12, "paid"), _fire(20, "y"))

    (found,) = _compare({**PLAIN, **REMIND}, log).changes

    assert (found.change, found.task, found.judged) == (RunChange.ADDED, "t_remind", True)
    assert found.new is not None
    assert (found.new.time, found.new.event) == (11_000, None)


@pytest.mark.parametrize(("paid", "runs"), [(10, []), (11, ["t_remind"]), (12, ["t_remind"])])
def test_a_timer_that_is_due_at_the_moment_of_a_record_comes_first(paid: int, runs: list[str]) -> None:
    log = _log(PLAIN, _fire(1, "ordered"), _fire(paid, "paid"), _fire(20, "y"))

    found = _compare({**PLAIN, **REMIND}, log)

    assert [task for change, task, _ in _changes(found) if change is RunChange.ADDED] == runs


def test_timers_of_the_same_moment_fire_in_the_order_of_their_kinds() -> None:
    """The deadline would expire the instance, and its delay starts it first."""
    rules = _changed(unless=[], delay="10s", deadline="10s")

    found = _compare(rules, _log(PLAIN, _fire(1, "ordered"), _fire(20, "y")))

    assert _changes(found) == [(RunChange.ADDED, "t_remind", True)]


def test_a_recorded_timer_keeps_the_place_of_its_record() -> None:
    """The worker was late, and the payment came before the timer although the delay was over."""
    late = _log(REMIND, _fire(1, "ordered"), _fire(12, "paid"), _timer(13, "t_remind#0", "delay", 11), _fire(20, "y"))
    early = _log(REMIND, _fire(1, "ordered"), _timer(12, "t_remind#0", "delay", 11), _fire(13, "paid"))

    assert _compare(REMIND, late).changes == _compare(REMIND, early).changes == []
    assert _changes(_compare(_changed(unless=[]), late)) == [(RunChange.ADDED, "t_remind", True)]


def test_a_timer_that_the_recorded_rules_unset_fires_when_it_is_due_if_nothing_unsets_it_now() -> None:
    log = _log(REMIND, _fire(1, "ordered"), _fire(5, "paid"), _fire(20, "y"))

    (found,) = _compare(_changed(unless=["withdrawn"]), log).changes

    assert found.new is not None
    assert found.new.time == 11_000


def test_what_a_timer_after_the_last_event_does_is_not_known() -> None:
    new = _changed(delay="1h") | {"t_next": {"after": ["t_remind"], "run": "app.next"}}
    log = _log(REMIND, _fire(1, "ordered"), _timer(11, "t_remind#0", "delay", 11), _fire(20, "y"))

    found = _compare(new, log)

    assert _changes(found) == [(RunChange.REMOVED, "t_remind", False)]
    assert found.open == [OpenTimer(instance="t_remind#0", kind="delay", due=3_601_000)]
    assert found.unjudged == ["t_next", "t_remind"]
    assert list(remark_lines(found)) == [
        "not known: the delay of t_remind#0 is due at 1970-01-01 01:00:01.000, after the last event",
        "not judged because they wait for an unknown result or a later time: t_next, t_remind",
    ]


def test_nobody_knows_whether_a_run_with_an_unknown_result_is_overdue() -> None:
    new: dict[str, Any] = PLAIN | {
        "$edition": 2,
        "t_new": {"after": ["x"], "run": "app.new", "timeouts": {"scheduled": "5s"}},
    }

    found = _compare(new, _log(PLAIN, _fire(1, "x"), _fire(60, "y")))

    assert (_changes(found), found.results) == ([(RunChange.ADDED, "t_new", True)], {"unknown": 1})


def test_a_retry_of_the_new_rules_has_an_unknown_result() -> None:
    retry: dict[str, Any] = {"attempts": 2, "wait": "10s", "jitter": 0}
    rules: dict[str, Any] = {"$edition": 2, "t_ship": {"after": ["paid"], "run": "app.ship"}}
    new: dict[str, Any] = {
        "$edition": 2,
        "t_ship": rules["t_ship"] | {"retry": retry},
        "t_sorry": {"after": ["t_ship:failed"], "run": "r"},
    }
    log = _log(rules, _fire(1, "paid"), _failed(2, "t_ship#0"), _fire(60, "y"))

    found = _compare(new, log)

    assert _changes(found) == [(RunChange.ADDED, "t_ship", True)]
    assert (found.unjudged, found.results) == (["t_sorry"], {"recorded": 1, "unknown": 1})


def test_the_result_of_a_run_that_was_cancelled_is_not_known() -> None:
    old: dict[str, Any] = {"$edition": 2, "t_ship": {"after": ["paid"], "run": "app.ship", "cancelOn": ["withdrawn"]}}
    new: dict[str, Any] = {
        "$edition": 2,
        "t_ship": {"after": ["paid"], "run": "app.ship"},
        "t_bill": {"after": ["t_ship"], "run": "r"},
    }
    log = _log(old, _fire(1, "paid"), _fire(2, "withdrawn"))

    found, back = _compare(new, log), _compare(old, _log(new, _fire(1, "paid"), _fire(2, "withdrawn")))

    assert _changes(found) == [(RunChange.CANCELLED, "t_ship", True)]
    assert change_words(found.changes[0]) == "t_ship#0 is not cancelled any more (result: unknown)"
    assert (found.unjudged, found.results) == (["t_bill"], {"unknown": 1})
    assert [change_words(change) for change in back.changes] == ["t_ship#0 is cancelled at 1970-01-01 00:00:02.000"]
    assert back.results == {"recorded": 1}


def test_an_outcome_that_the_rules_react_to_comes_from_a_timer() -> None:
    new = _changed(after=["ordered", "packed"], delay="1s", deadline="5s") | {
        "t_lost": {"after": ["t_remind:expired"], "run": "app.lost"}
    }

    found = _compare(new, _log(PLAIN, _fire(1, "ordered"), _fire(20, "y")))

    assert _changes(found) == [(RunChange.ADDED, "t_lost", True)]


def test_an_expression_that_cannot_be_evaluated_is_named() -> None:
    new: dict[str, Any] = {
        "$edition": 2,
        "t_big": {"after": [{"trigger": "paid", "when": "kwargs.amount > 100"}], "run": "app.big"},
    }
    log = _log(PLAIN, _fire(1, "paid", '{"sum":120}'), _fire(2, "paid", '{"amount":90}'), _fire(3, "paid"))

    (failure,) = _compare(new, log).failures

    assert (failure.expression, failure.times) == ("kwargs.amount > 100", 2)
    assert "amount" in failure.reason


def test_forwards_are_compared() -> None:
    old = PLAIN | {"$edition": 2, "$forward": [{"on": "paid", "to": "kwargs.shop"}]}
    new = PLAIN | {"$edition": 2, "$forward": [{"on": "paid", "to": "kwargs.shop", "as": "sold"}]}
    log = _log(old, _fire(1, "paid", '{"shop":"s7"}'))

    assert _compare(old, log).forwards == []
    forwards = _compare(new, log).forwards
    assert all(isinstance(one, ForwardDifference) for one in forwards)
    assert [(one.change, one.session, one.trigger, one.time) for one in forwards] == [
        (RunChange.ADDED, "s7", "sold", 1000),
        (RunChange.REMOVED, "s7", "paid", 1000),
    ]


def test_log_times_count_and_not_the_times_that_producers_give() -> None:
    ordered = TimerFired(position=9, time=1, instance="", attempt=0)
    assert ordered.recorded == 0
    fired = [_fire(1, "ordered"), _fire(12, "paid"), _fire(20, "y")]
    moved = [type(one)(**_fields(one) | {"time": 5_000_000 - one.time, "recorded": one.time}) for one in fired]

    found = _compare({**PLAIN, **REMIND}, _log(PLAIN, *moved))

    (added,) = [one.new for one in found.changes if one.change is RunChange.ADDED]
    assert added is not None
    assert added.time == 11_000


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_a_result_that_arrives_after_a_retry_of_the_log_is_in_its_place() -> None:
    retry: dict[str, Any] = {"attempts": 3, "wait": "10s", "jitter": 0}
    rules: dict[str, Any] = {"$edition": 2, "t_ship": {"after": ["paid"], "run": "app.ship", "retry": retry}}
    second = _finish(13, "t_ship#0")
    log = _log(
        rules,
        _fire(1, "paid"),
        _failed(2, "t_ship#0"),
        _timer(12, "t_ship#0", "retry", 12),
        type(second)(**_fields(second) | {"attempt": 2}),
    )
    fewer: dict[str, Any] = {"$edition": 2, "t_ship": rules["t_ship"] | {"retry": retry | {"attempts": 2}}}
    none: dict[str, Any] = {"$edition": 2, "t_ship": {"after": ["paid"], "run": "app.ship"}}

    assert _compare(fewer, log).changes == []
    assert _compare(fewer, log).results == {"recorded": 2}
    assert _changes(_compare(none, log)) == [(RunChange.REMOVED, "t_ship", True)]


def test_the_command_prints_what_is_not_known(tmp_path: Path) -> None:
    new = _changed(delay="1h", after=[{"trigger": "ordered", "when": "kwargs.amount > 100 || kwargs.vip"}])
    path = tmp_path / "log.jsonl"
    amounts = ('{"amount":120}', '{"amount":5}')
    events = [_log(PLAIN, _fire(1, "ordered", kwargs)) for kwargs in amounts]
    path.write_bytes(b"\n".join(encode_line(f"s{n}", one) for n, log in enumerate(events) for one in log))

    result = CliRunner().invoke(main, ["backtest", json.dumps(new), "--from", str(path)])
    as_json = json.loads(CliRunner().invoke(main, ["backtest", json.dumps(new), "--from", str(path), "--json"]).stdout)

    assert result.exit_code == 0, result.output
    assert "In 1 sessions some tasks are not judged" in result.output
    assert "not known: the delay of t_remind#0 is due at 1970-01-01 01:00:01.000, after the last event" in result.output
    assert "counted as false, once: kwargs.amount > 100" in result.output
    assert "Counted as false, 1 times, because it could not be evaluated: kwargs.amount > 100" in result.output
    assert (as_json["doubtful"], list(as_json["failures"].values())) == (1, [1])
