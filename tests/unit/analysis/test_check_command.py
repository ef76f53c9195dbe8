"""`triggers check`: its output and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from triggers.analysis.check.findings import KINDS
from triggers.cli import main

DEADLOCK = {"t_a": {"after": ["t_b"], "run": "r"}, "t_b": {"after": ["t_a"], "run": "r"}}
NOTE = {"a": {"after": ["x"], "run": "r"}}
WARNING = {"t_a": {"after": ["x"], "run": "r", "unless": ["t_a"]}}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules.json"


def _check(rules: Path, configuration: object, *arguments: str) -> Result:
    rules.write_text(json.dumps(configuration))
    return CliRunner().invoke(main, ["check", str(rules), *arguments])


@pytest.mark.parametrize(
    ("configuration", "fail_on", "code"),
    [
        ({}, "note", 0),
        (NOTE, "warning", 0),
        (NOTE, "note", 1),
        (WARNING, "warning", 1),
        (WARNING, "error", 0),
        (DEADLOCK, "error", 1),
        (DEADLOCK, "never", 0),
    ],
)
def test_the_exit_code_is_1_if_a_finding_counts(rules: Path, configuration: object, fail_on: str, code: int) -> None:
    assert _check(rules, configuration, "--fail-on", fail_on).exit_code == code


def test_the_text_has_file_line_and_column_the_message_and_the_fix(rules: Path) -> None:
    output = _check(rules, DEADLOCK).output

    assert f"{rules}:1:20: error deadlock\n" in output
    assert "  t_a waits for t_b, t_b waits for t_a, so none of them ever runs\n  fix: remove one" in output
    assert output.endswith("1 error, 0 warnings, 0 notes\n")


ORDERED = {"t_a": {"after": ["x"], "run": "r", "unless": ["y"]}}


def test_two_orders_with_different_results_are_shown(rules: Path) -> None:
    output = _check(rules, ORDERED).output

    assert "  t_a runs in 1 of 2 orders although 'y' fires\n    events: x, y\n    x → y: it runs once\n" in output
    assert f"{rules}: explored every order of arrival for 1 of 1 tasks\n" in output


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        (["x"], {"x": 1}),
        (["x", "x", "y"], {"x": 2, "y": 1}),
        (['{"trigger": "x", "kwargs": {"n": 1}}', "x"], {"x": 1, 'x {"n": 1}': 1}),
    ],
)
def test_the_events_may_be_given(rules: Path, events: list[str], counts: dict[str, int]) -> None:
    arguments = [word for event in events for word in ("--events", event)]

    (found,) = json.loads(_check(rules, ORDERED, "--json", *arguments).output)[0]["orders"]

    assert found["events"] == counts


def test_the_events_may_be_a_log_of_one_session(rules: Path) -> None:
    log = rules.parent / "log.jsonl"
    log.write_text('{"session": "s", "trigger": "x"}\n{"session": "s", "type": "running", "instance": "t_a#0"}\n')

    (found,) = json.loads(_check(rules, ORDERED, "--json", "--events", str(log)).output)[0]["orders"]

    assert found["events"] == {"x": 1}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ('{"trigger": 1}', "is not an event"),
        ('{"type": "running", "instance": "t_a#0"}', "fires no trigger"),
        ("two.jsonl", "has events of 's' and of 'z'"),
    ],
)
def test_events_that_cannot_be_ordered_are_refused(rules: Path, event: str, problem: str) -> None:
    log = rules.parent / "two.jsonl"
    log.write_text('{"session": "s", "trigger": "x"}\n{"session": "z", "trigger": "x"}\n')

    result = _check(rules, ORDERED, "--events", str(log) if event == log.name else event)

    assert result.exit_code == 2
    assert problem in result.output


def test_a_sample_says_how_much_of_all_orders_it_is(rules: Path) -> None:
    output = _check(rules, ORDERED, "--worlds", "1", "--walks", "1").output

    assert "sampled orders for t_a: 1 of 2 (0.5 of all)" in output


def test_orders_need_not_be_explored(rules: Path) -> None:
    (checked,) = json.loads(_check(rules, ORDERED, "--json", "--no-orders").output)

    assert (checked["findings"], checked["orders"]) == ([], [])


@pytest.mark.parametrize(("ignored", "count"), [("deadlock", 0), ("deadlock:t_a", 0), ("deadlock:t_b", 1)])
def test_ignored_findings_are_left_out(rules: Path, ignored: str, count: int) -> None:
    found = json.loads(_check(rules, DEADLOCK, "--json", "--ignore", ignored).output)

    assert len(found[0]["findings"]) == count


def test_an_unknown_rule_is_refused_with_a_list_of_the_known_ones(rules: Path) -> None:
    result = _check(rules, {}, "--ignore", "deadlok")

    assert result.exit_code == 2
    assert "deadlock" in result.output


def test_sarif_has_each_finding_with_its_rule_level_and_region(rules: Path) -> None:
    log = json.loads(_check(rules, DEADLOCK, "--sarif").output)

    (run,) = log["runs"]
    (result,) = run["results"]
    described = run["tool"]["driver"]["rules"]
    (location,) = result["locations"]
    assert (log["version"], run["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    assert [rule["id"] for rule in described] == list(KINDS)
    assert described[result["ruleIndex"]]["id"] == result["ruleId"] == "deadlock"
    assert result["level"] == "error"
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": str(rules)},
        "region": {"startLine": 1, "startColumn": 20, "endLine": 1, "endColumn": 25},
    }
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "t_a/after"


LOG = ['{"session": "s", "trigger": "x"}', '{"session": "s", "trigger": "y", "kwargs": {"n": 1}}']


@pytest.mark.parametrize(
    ("name", "text", "unproduced"),
    [
        ("names.json", '["x"]', ["t_b"]),
        ("log.jsonl", LOG[0], ["t_b"]),
        ("log.jsonl", "\n".join(LOG), []),
    ],
)
def test_declared_triggers_come_from_a_list_or_a_log(rules: Path, name: str, text: str, unproduced: list[str]) -> None:
    (rules.parent / name).write_text(text)
    configuration = {task: {"after": [trigger], "run": "r"} for task, trigger in [("t_a", "x"), ("t_b", "y")]}

    found = _findings(_check(rules, configuration, "--json", "--triggers", str(rules.parent / name)))

    assert [one["task"] for one in found if one["rule"] == "unproduced-trigger"] == unproduced


def test_a_declared_trigger_may_be_named_itself(rules: Path) -> None:
    found = _findings(_check(rules, WARNING, "--json", "--triggers", "y"))

    assert [one["rule"] for one in found] == ["unused-trigger", "unproduced-trigger", "unless-never-wins"]


def test_a_list_of_something_else_is_refused_with_the_files_name(rules: Path) -> None:
    (rules.parent / "names.json").write_text("[1]")

    result = _check(rules, {}, "--triggers", str(rules.parent / "names.json"))

    assert result.exit_code == 2
    assert "names.json must be a JSON list of trigger names" in result.output


def _findings(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.output)[0]["findings"]
    return found


def test_an_event_that_no_rule_uses_is_reported_on_stderr(rules: Path) -> None:
    result = _check(rules, ORDERED, "--events", "x,y", "--events", "x", "--json")

    assert result.stderr == f"{rules}: no rule uses 'x,y' of --events\n"
    assert json.loads(result.stdout)[0]["orders"][0]["events"] == {"x": 1}


def test_results_at_any_time_have_witnesses_too(rules: Path) -> None:
    output = _check(rules, ORDERED, "--results", "any-time").output

    assert "    x → t_a finishes → y: it runs once\n" in output or "    x → y → t_a finishes: it runs once\n" in output
    assert "    y → x: it does not run\n" in output
