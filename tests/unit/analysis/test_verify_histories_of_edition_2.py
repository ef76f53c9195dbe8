"""`triggers verify` replays histories of edition 2, with their clocks and timers, and says where they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.edition2.histories import CURATED, DATA

from triggers.cli.verify import verify_command

RULES = {"$edition": 2, "t_remind": {"after": ["ordered"], "unless": ["paid"], "delay": "15m", "run": "app.Remind"}}
DUE = {"instance": "t_remind#0", "kind": "delay", "due": 901_000}


def _history() -> dict[str, Any]:
    kwargs = {"ordered": {"id": 7}}
    run = {"instance": "t_remind#0", "attempt": 1, "run": "app.Remind", "kwargs": kwargs}
    return {
        "id": "c2-1",
        "title": "nobody pays",
        "steps": [
            {
                "op": "publish",
                "at": 500,
                "name": "orders",
                "configuration": RULES,
                "default": True,
                "expect": {"outcome": "applied"},
            },
            {
                "op": "fire",
                "at": 1_000,
                "trigger": "ordered",
                "kwargs": {"id": 7},
                "expect": {
                    "outcome": "applied",
                    "changed": {"t_remind#0": "delayed"},
                    "set": [DUE],
                    "fired": ["ordered"],
                    "rules": {"name": "orders", "version": 1},
                },
            },
            {"op": "timer", "at": 901_500, **DUE, "expect": {"outcome": "applied"}},
            {
                "op": "skip",
                "at": 901_600,
                "instance": "t_remind#0",
                "expect": {"outcome": "refused", "error": "WrongStatus"},
            },
        ],
        "final": _final(kwargs),
    } | {"run": run}


def _final(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {
        "instances": {
            "t_remind#0": {
                "task": "t_remind",
                "status": "scheduled",
                "attempt": 1,
                "kwargs": kwargs,
                "depth": 0,
                "parent": None,
            }
        },
        "unresolvedTasks": ["t_remind"],
        "timers": [],
        "rules": {"name": "orders", "version": 1},
        "clock": 901_500,
    }


def _right() -> dict[str, Any]:
    history = _history()
    history["steps"][2]["expect"] |= {
        "changed": {"t_remind#0": "scheduled"},
        "scheduled": [history.pop("run")],
        "unset": [DUE],
    }
    return history


def _verify(tmp_path: Path, history: dict[str, Any]) -> tuple[int, list[str]]:
    path = tmp_path / "histories.jsonl"
    path.write_text(json.dumps(history))
    result = CliRunner().invoke(verify_command, [str(path)])
    return result.exit_code, result.output.splitlines()


def test_a_history_that_agrees_passes(tmp_path: Path) -> None:
    assert _verify(tmp_path, _right()) == (0, ["1 passed, 0 failed"])


def test_a_key_that_the_history_lacks_must_be_empty(tmp_path: Path) -> None:
    history = _right()
    del history["steps"][2]["expect"]["unset"]

    code, lines = _verify(tmp_path, history)

    assert code == 1
    shown = json.dumps([DUE], separators=(",", ":"))
    assert lines[0] == f"c2-1 step 3 (timer t_remind#0 delay): unset: expected null, got {shown}"


@pytest.mark.parametrize(
    ("step", "key", "wrong"),
    [
        (0, "outcome", "unused"),
        (1, "rules", {"name": "orders", "version": 2}),
        (1, "set", []),
        (2, "scheduled", []),
        (2, "changed", {"t_remind#0": "running"}),
        (3, "error", "InstanceNotFound"),
    ],
)
def test_a_planted_wrong_expectation_is_reported_in_one_line(
    tmp_path: Path, step: int, key: str, wrong: object
) -> None:
    history = _right()
    history["steps"][step]["expect"][key] = wrong

    code, lines = _verify(tmp_path, history)

    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith(f"c2-1 step {step + 1} (")
    assert f": {key}: expected {json.dumps(wrong, separators=(',', ':'))}, got " in lines[0]


@pytest.mark.parametrize("key", ["instances", "unresolvedTasks", "timers", "rules", "clock"])
def test_a_planted_wrong_final_state_is_reported(tmp_path: Path, key: str) -> None:
    history = _right()
    history["final"][key] = "planted"

    _, lines = _verify(tmp_path, history)

    assert lines[0].startswith(f'c2-1 final: {key}: expected "planted", got ')


def test_numbers_are_compared_by_value_and_true_is_not_1(tmp_path: Path) -> None:
    history = _right()
    history["steps"][2]["expect"]["scheduled"][0]["kwargs"]["ordered"]["id"] = 7.0
    assert _verify(tmp_path, history)[0] == 0

    history["final"]["instances"]["t_remind#0"]["attempt"] = True

    assert _verify(tmp_path, history)[0] == 1


def test_the_recorded_histories_pass() -> None:
    result = CliRunner().invoke(verify_command, [str(DATA / CURATED), "--json"])

    report = json.loads(result.stdout)
    assert (result.exit_code, report["failed"], report["differences"]) == (0, 0, [])
    assert report["passed"] >= 500


def test_a_history_of_the_other_format_may_have_rules_of_edition_2(tmp_path: Path) -> None:
    command = {"instance": "t_a#0", "run": "app.A", "kwargs": {"a": {}}}
    retried = [{"instance": "t_a#1", "run": "app.A", "kwargs": {"a": {}}, "countdown": 30}]
    history = {
        "id": "h",
        "configuration": {"$edition": 2, "t_a": {"after": [{"any": ["a", "b"]}], "run": "app.A"}},
        "steps": [
            {"op": "fire", "trigger": "a", "expect": {"scheduled": [command], "changed": {"t_a#0": "scheduled"}}},
            {"op": "retry", "instance": "t_a#0", "cooldown": 30, "expect": {"scheduled": retried}},
        ],
    }

    assert _verify(tmp_path, history) == (0, ["1 passed, 0 failed"])
