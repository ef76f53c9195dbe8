"""`triggers graph` draws rules, and sessions of a log or a capsule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triggers.cli import main

RULES = {"t_import": {"after": ["page", "complete"], "run": "app.import"}}
LOG = [{"session": "q-1", "trigger": trigger} for trigger in ("page", "complete")]


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(RULES))
    return str(path)


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LOG))
    return str(path)


def _triggers(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(("language", "start"), [("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")])
def test_rules_are_drawn_in_the_requested_format(rules: str, language: str, start: str) -> None:
    drawn = _triggers("graph", rules, "--format", language).output

    assert drawn.startswith(start)
    assert "app.import" in drawn


def test_json_of_rules_has_nodes_and_edges(rules: str) -> None:
    found = json.loads(_triggers("graph", rules, "--json").output)

    assert [node["id"] for node in found["nodes"]] == ["trigger complete", "trigger page", "task t_import"]
    assert [(edge["source"], edge["line"]) for edge in found["edges"]] == [
        ("trigger complete", "after"),
        ("trigger page", "after"),
    ]


def test_a_session_of_a_log_and_its_capsule_are_the_same_picture(rules: str, log: str, tmp_path: Path) -> None:
    assert _triggers("capture", "q-1", "--from", log, "--rules", rules, "--into", str(tmp_path)).exit_code == 0

    of_log = _triggers("graph", "--session", "q-1", "--from", log, "--rules", rules)
    of_capsule = _triggers("graph", "--session", "q-1", "--from", str(tmp_path / "q-1.capsule.json"))

    assert of_log.output == of_capsule.output
    assert 'n2["t_import#35;0<br/>scheduled"]' in of_log.output


def test_json_of_a_session_has_the_events_behind_each_instance(rules: str, log: str) -> None:
    arguments = ("--session", "q-1", "--instance", "t_import#0", "--from", log, "--rules", rules)
    found = json.loads(_triggers("graph", *arguments, "--json").output)

    assert [one["name"] for one in found["instances"]] == ["t_import#0"]
    assert [event["what"] for event in found["instances"][0]["roots"]] == ["page fired", "complete fired"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give either RULES.json or --session"),
        (["{}", "--session", "q-1"], 2, "give either RULES.json or --session"),
        (["{}", "--instance", "t_a#0"], 2, "--instance needs --session"),
        (['{"t_a": {}}'], 2, "'t_a'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], code: int, message: str) -> None:
    result = _triggers("graph", *arguments)

    assert result.exit_code == code
    assert message in result.output


def test_a_session_that_is_not_in_the_file_is_reported(log: str, rules: str) -> None:
    result = _triggers("graph", "--session", "q-2", "--from", log, "--rules", rules)

    assert result.exit_code == 3
    assert "'q-2'" in result.output


def test_a_capsule_keeps_its_own_rules(log: str, rules: str, tmp_path: Path) -> None:
    _triggers("capture", "q-1", "--from", log, "--rules", rules, "--into", str(tmp_path))

    result = _triggers("explain", "q-1", "--from", str(tmp_path / "q-1.capsule.json"), "--rules", rules)

    assert result.exit_code == 2
    assert "a capsule has the rules of its session" in result.output
