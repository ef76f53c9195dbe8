"""Back-tests: each kind of change, each source of results, and the selection of sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.difference import RunChange, SessionDifference, compare
from triggers.cli import main
from triggers.codec.event_lines import encode_line
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    ReplayRequested,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.plans import Plans

Rules = dict[str, dict[str, Any]]
DAY = 86_400_000


def _task(*after: str, **other: object) -> dict[str, Any]:
    return {"after": list(after), "run": "app.run"} | other


OLD: Rules = {"t_a": _task("x"), "t_b": _task("t_a")}


def _fire(at: int, trigger: str, kwargs: str = "{}") -> Event:
    return TriggerFired(position=at, time=at * 1000, trigger=trigger, kwargs=kwargs.encode())


def _finish(at: int, instance: str, result: str = "{}") -> Event:
    return TaskFinished(position=at, time=at * 1000, instance=instance, attempt=1, result=result.encode())


def _log(rules: Rules, *events: Event) -> list[Event]:
    return [ConfigurationUpdated(configuration=json.dumps(rules).encode()), *events]


def _compare(new: Rules, log: Sequence[Event], added: bool = False, **assumptions: Any) -> SessionDifference:
    rules = NewRules(rules=json.dumps(new).encode(), added=added)
    return compare("s", log, rules, Assumptions(**assumptions), Plans())


def _changes(found: SessionDifference) -> list[tuple[RunChange, str, bool]]:
    return [(change.change, change.task, change.judged) for change in found.changes]


ONE = _log(OLD, _fire(1, "x"), _finish(2, "t_a#0"), _fire(3, "y"))


@pytest.mark.parametrize(
    ("new", "change", "task"),
    [
        (OLD | {"t_c": _task("x")}, RunChange.ADDED, "t_c"),
        ({"t_a": _task("x")}, RunChange.REMOVED, "t_b"),
        (OLD | {"t_b": _task("t_a", withParams={"more": {"n": 1}})}, RunChange.KWARGS, "t_b"),
        (OLD | {"t_b": _task("t_a", run="app.other")}, RunChange.TARGET, "t_b"),
        (OLD | {"t_b": _task("t_a", using="threading")}, RunChange.TARGET, "t_b"),
    ],
)
def test_each_kind_of_change_is_reported(new: Rules, change: RunChange, task: str) -> None:
    assert _changes(_compare(new, ONE)) == [(change, task, True)]


def test_the_result_of_a_run_at_another_time_comes_after_the_same_delay() -> None:
    old = {"t_a": _task("x", withParams={"w": {}}), "t_b": _task("x", "t_a"), "t_c": _task("t_b")}
    log = _log(old, _fire(1, "x"), _finish(2, "t_a#0"), _fire(5, "p"), _finish(9, "t_b#0"))
    new = old | {"t_a": _task("x", "p", withParams={"w": {}, "p": {}})}

    found = _compare(old | {"t_b": _task("x", "t_a", unless=["q"])}, log)
    later = _compare(new, log, stubs={"t_a": b"{}"})

    assert found.changes == []
    assert sorted((c.change, c.task, c.new.time if c.new else 0) for c in later.changes) == [
        (RunChange.KWARGS, "t_a", 5000),
        (RunChange.TIMING, "t_a", 5000),
        (RunChange.TIMING, "t_b", 5000),
        (RunChange.TIMING, "t_c", 12000),
    ]
    assert later.results == {"stub": 1, "recorded, at another time": 2}


def test_the_order_of_the_rules_decides_the_order_of_runs() -> None:
    log = _log({"t_a": _task("x"), "t_b": _task("x")}, _fire(1, "x"))

    found = _compare({"t_b": _task("x"), "t_a": _task("x")}, log)

    assert _changes(found) == [(RunChange.ORDER, "t_b", True)]


CHAIN = OLD | {"t_a": _task("x", run="app.other")}


def test_a_task_that_depends_on_an_unknown_result_is_not_judged() -> None:
    found = _compare(CHAIN, ONE)

    assert _changes(found) == [(RunChange.TARGET, "t_a", True), (RunChange.REMOVED, "t_b", False)]
    assert (found.unjudged, found.results) == (["t_b"], {"unknown": 1})


def test_a_declared_result_replaces_an_unknown_one() -> None:
    found = _compare(CHAIN, ONE, stubs={"t_a": b'{"n": 1}'})

    assert [(change.change, change.task) for change in found.changes] == [
        (RunChange.TARGET, "t_a"),
        (RunChange.KWARGS, "t_b"),
        (RunChange.TIMING, "t_b"),
    ]
    assert (found.unjudged, found.results) == ([], {"stub": 1, "unknown": 1})


def test_another_runs_result_is_reused_only_if_that_is_allowed() -> None:
    rules = {"t_a": _task(andEvery="x"), "t_b": _task(andEvery="t_a")}
    log = _log(rules, _fire(1, "x", '{"n":1}'), _finish(3, "t_a#0", '{"r":1}'))
    new = {**rules, "t_a": _task(andEvery="x", withParams={"x": {"m": 2}})}

    assert _compare(new, log).results == {"unknown": 1}
    assert _compare(new, log, reuse=True).results == {"reused": 1, "recorded, at another time": 1}


def test_new_rules_may_be_added_to_the_recorded_ones() -> None:
    found = _compare({"t_c": _task("y")}, ONE, added=True)

    assert _changes(found) == [(RunChange.ADDED, "t_c", True)]


def test_a_later_configuration_of_the_session_does_not_count_when_the_rules_are_replaced() -> None:
    log = [
        *ONE,
        ConfigurationUpdated(configuration=b'{"t_z": {"after": ["z"], "run": "r"}}', position=4),
        _fire(5, "z"),
    ]

    assert _changes(_compare(OLD, log)) == [(RunChange.REMOVED, "t_z", True)]
    assert _changes(_compare(OLD, log, added=True)) == []


@pytest.mark.parametrize("due", [7000, 0])
def test_a_retry_with_a_cooldown_runs_at_the_event_of_its_timer(due: int) -> None:
    retried = TaskRetried(position=2, time=2000, instance="t_a#0", attempt=1, cooldown_ms=5000)
    timer = TimerFired(position=3, time=9000, instance="t_a#1", attempt=1, due=due)
    log = _log(OLD, _fire(1, "x"), retried, timer, _finish(10, "t_a#1"))

    assert _compare(OLD, log).changes == []
    assert _compare(OLD | {"t_c": _task("never")}, log).results == {"recorded": 3}


def test_timers_of_limits_keep_their_times_and_never_come_after_the_log() -> None:
    limits: Rules = {"$limits": {"sessionTtl": 3600, "timeouts": {"running": 60, "scheduled": 60}}}
    log = _log(OLD | limits, _fire(1, "x"), _fire(2, "y"))

    assert _compare(OLD | limits, log).changes == []
    assert _compare(OLD, log).changes == []
    assert _compare(OLD | limits, _log(OLD, _fire(1, "x"), _fire(2, "y"))).changes == []


def test_an_attempt_that_is_overdue_under_the_new_rules_is_issued_again() -> None:
    limits: Rules = {"$limits": {"timeouts": {"scheduled": 60}}}

    found = _compare(OLD | limits, _log(OLD, _fire(1, "x"), _fire(100, "y")))

    assert _changes(found) == [(RunChange.ADDED, "t_a", True)]


def test_an_operation_on_a_run_is_applied_to_the_corresponding_run() -> None:
    rules = {"t_a": _task("x", andEvery="p")}
    failed = TaskFailed(position=4, time=4000, instance="t_a#1", attempt=1, exception_type="app.Broken")
    replayed = ReplayRequested(position=5, time=5000, instance="t_a#1")
    log = _log(rules, _fire(1, "x"), _fire(2, "p", '{"n":1}'), _fire(3, "p", '{"n":2}'), failed, replayed)
    new = {"t_a": _task("x", andEvery="p", unless=["q"])}

    assert _compare(new, log).changes == []
    assert _compare({"t_z": _task("z")}, log).refused == 1


def test_equal_runs_of_the_same_instance_correspond() -> None:
    rules = {"t_a": _task("x", andEvery="p"), "t_b": _task(andEvery="t_a")}
    log = _log(rules, _fire(1, "p"), _fire(2, "p"), _fire(3, "x"), _finish(5, "t_a#1", '{"n":1}'), _finish(4, "t_a#0"))

    found = _compare(rules, log)

    assert found.changes == []


def test_an_assumed_result_comes_before_an_event_of_the_same_time() -> None:
    new = {"t_a": _task("x", run="app.other"), "t_b": _task("t_a", unless=["y"])}
    log = _log({"t_a": _task("x")}, _fire(1, "x"), TriggerFired(position=2, time=1000, trigger="y"))

    found = _compare(new, log, stubs={"t_a": b"{}"})

    assert (RunChange.ADDED, "t_b", True) in _changes(found)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    lines = [
        encode_line(f"s{n}", event)
        for n in range(20)
        for event in _log(OLD, TriggerFired(position=1, time=n * DAY, trigger="x"))
    ]
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


def _backtest(log_file: Path, new: Rules, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["backtest", json.dumps(new), "--from", str(log_file), *arguments])


def test_the_exit_code_says_whether_a_session_would_change(log_file: Path) -> None:
    assert _backtest(log_file, OLD).exit_code == 0
    assert _backtest(log_file, {"t_c": _task("x")}).exit_code == 1
    assert _backtest(log_file, {"t_c": {}}).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "sessions"),
    [
        ([], 20),
        (["--since", "3d"], 4),
        (["--since", "1970-01-18"], 3),
        (["--sample", "7"], 7),
        (["--sample", "7", "--since", "1970-01-01"], 7),
    ],
)
def test_options_select_fewer_sessions(log_file: Path, arguments: list[str], sessions: int) -> None:
    found = json.loads(_backtest(log_file, OLD, "--json", *arguments).stdout)

    assert found["sessions"] == sessions


def test_counts_cover_all_sessions_and_a_few_are_shown(log_file: Path) -> None:
    result = _backtest(log_file, {"t_a": _task("x", run="app.other")}, "--json", "--show", "2")

    found = json.loads(result.stdout)
    assert found["changes"] == {"target": {"sessions": 20, "runs": 20}}
    assert found["tasks"] == {"t_a": {"target": 20}}
    assert len(found["samples"]) == 2


def test_the_text_has_the_changes_of_a_session(log_file: Path) -> None:
    output = _backtest(log_file, {"t_c": _task("x")}, "--show", "1").stdout

    assert output.startswith("20 sessions folded (40 events): 20 would change.\n")
    assert "session s0\n  - t_a#0 at " in output
    assert '  + t_c#0 at  {"x":{}} (result: unknown)\n' in output


def test_every_session_that_changes_can_be_written_to_a_file(log_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "changes.jsonl"

    _backtest(log_file, {"t_c": _task("x")}, "--out", str(out))

    assert len(out.read_text().splitlines()) == 20


@pytest.mark.parametrize(
    "arguments", [["--since", "soon"], ["--stub", "t_a"], ["--stub", "t_a=[1]"], ["--stub", "t_a={"]]
)
def test_options_that_make_no_sense_are_refused(log_file: Path, arguments: list[str]) -> None:
    assert _backtest(log_file, OLD, *arguments).exit_code == 2


def test_a_stub_of_an_unknown_task_is_refused_with_the_nearest_name(log_file: Path) -> None:
    wrong = _backtest(log_file, OLD, "--stub", "t_bb={}")
    recorded = _backtest(log_file, {"t_c": _task("x")}, "--add", "--stub", "t_b={}")

    assert (wrong.exit_code, "did you mean 't_b'?" in wrong.output) == (2, True)
    assert recorded.exit_code == 1
