"""`triggers verify` reports every difference from a history, and says where it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from triggers.analysis.input_file import BadInput, InputFile
from triggers.analysis.verify.histories import BadHistory, HistoryResult, verify_files
from triggers.cli.verify import verify_command


def _history() -> dict[str, Any]:
    scheduled = [{"instance": "t_a#0", "run": "app.A", "kwargs": {"a": {"n": 1}}}]
    instance = {"task": "t_a", "status": "scheduled", "kwargs": {"a": {"n": 1}}}
    return {
        "id": "one",
        "title": "one task",
        "configuration": {"t_a": {"after": ["a"], "run": "app.A"}},
        "steps": [
            {
                "op": "fire",
                "trigger": "a",
                "kwargs": {"n": 1},
                "expect": {
                    "scheduled": scheduled,
                    "changed": {"t_a#0": "scheduled"},
                    "hooks": [["post_fire", "a", ["t_a#0"]]],
                },
            },
            {"op": "replay", "instance": "t_a#0", "expect": {"scheduled": [], "changed": {}, "error": "ValueError"}},
            {"op": "query", "what": "statuses", "expect": {"answer": {"t_a#0": "scheduled"}}},
        ],
        "final": {
            "instances": {"t_a#0": instance | {"abandonState": [], "depth": 0, "parent": None}},
            "latestKwargs": {"a": {"n": 1}},
            "tasks": ["t_a"],
            "unresolvedTasks": ["t_a"],
            "unresolvedInstances": ["t_a#0"],
        },
    }


def _verify(tmp_path: Path, *lines: bytes) -> list[HistoryResult]:
    path = tmp_path / "histories.jsonl"
    path.write_bytes(b"\n".join(lines))
    return list(verify_files([InputFile(path)]))


def _verify_one(tmp_path: Path, history: dict[str, Any]) -> list[str]:
    return _verify(tmp_path, json.dumps(history).encode())[0].differences


def test_a_history_that_agrees_has_no_differences(tmp_path: Path) -> None:
    assert _verify_one(tmp_path, _history()) == []


@pytest.mark.parametrize(
    ("step", "key", "wrong"),
    [
        (0, "scheduled", []),
        (0, "changed", {"t_a#0": "unstarted"}),
        (0, "hooks", []),
        (0, "raised", "ImportFailed"),
        (1, "error", "KeyError"),
        (2, "answer", {}),
    ],
)
def test_a_planted_wrong_expectation_is_reported_in_one_line(
    tmp_path: Path, step: int, key: str, wrong: object
) -> None:
    history = _history()
    history["steps"][step]["expect"][key] = wrong

    (line,) = _verify_one(tmp_path, history)

    assert line.startswith(f"one step {step + 1} (")
    assert f" {key}: expected {json.dumps(wrong, separators=(',', ':'))}, got " in line


@pytest.mark.parametrize("key", ["instances", "latestKwargs", "tasks", "unresolvedTasks", "unresolvedInstances"])
def test_a_planted_wrong_final_state_is_reported(tmp_path: Path, key: str) -> None:
    history = _history()
    history["final"][key] = "planted"

    (line,) = _verify_one(tmp_path, history)

    assert line.startswith(f'one final: {key}: expected "planted", got ')


def test_an_unexpected_refusal_is_reported(tmp_path: Path) -> None:
    history = _history()
    del history["steps"][1]["expect"]["error"]

    (line,) = _verify_one(tmp_path, history)

    assert "error: expected null, got WrongStatus" in line


def test_ours_counts_where_the_product_differs_and_only_firm_ones_gate(tmp_path: Path) -> None:
    history = _history() | {"firm": False}
    del history["final"]
    for step in history["steps"]:
        step["ours"], step["upstream"] = step.pop("expect"), {"scheduled": "something else"}

    (result,) = _verify(tmp_path, json.dumps(history).encode())

    assert (result.gates, result.differences) == (False, [])


def test_gzip_files_and_empty_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "histories.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(_history()).encode() + b"\n\n"))

    assert [result.id for result in verify_files([InputFile(path)])] == ["one"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"id": "two",', "the line is not JSON"),
        (b"\xff", "the line is not JSON"),
        (b"[1]", "the line is not a JSON object"),
        (b'{"title": "no id"}', "it has no id and no configuration and no steps"),
        (b'{"id": "c2-1", "steps": [{"op": "fire"}]}', "it has no configuration"),
        (b'{"title": "edition 2", "steps": [{"op": "fire", "at": 1}]}', "it has no id"),
        (
            b'{"session": "s", "trigger": "a"}',
            "it has no id and no configuration and no steps; `triggers capture SESSION` makes a capsule",
        ),
    ],
)
def test_a_line_that_is_not_a_history_is_reported_with_file_line_and_fix(tmp_path: Path, line: bytes, why: str) -> None:
    with pytest.raises(BadHistory, match=r"histories\.jsonl:2: neither a capsule nor a recorded history: ") as caught:
        _verify(tmp_path, json.dumps(_history()).encode(), line)

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"op": "dance", "expect": {}}, "dance"),
        ({"trigger": "a", "expect": {}}, "the key 'op' is missing"),
        ({"op": "fire", "trigger": "a"}, "the key 'expect' is missing"),
    ],
)
def test_a_step_that_cannot_be_replayed_is_reported_with_file_and_line(
    tmp_path: Path, step: dict[str, Any], why: str
) -> None:
    history = _history() | {"steps": [step]}

    with pytest.raises(BadHistory, match=rf"histories\.jsonl:1: this history cannot be replayed: .*{why}"):
        _verify_one(tmp_path, history)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_a_history_is_not_a_success(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(text)

    with pytest.raises(BadHistory, match=r"empty\.jsonl: the file has no history"):
        verify_command.main([str(path)], standalone_mode=False)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.jsonl"):
        list(verify_files([InputFile(tmp_path / "absent.jsonl")]))


def test_an_invalid_configuration_is_reported_with_file_and_line(tmp_path: Path) -> None:
    history = _history() | {"configuration": {"t_a": {}}}

    with pytest.raises(BadHistory, match=r"histories\.jsonl:1"):
        _verify_one(tmp_path, history)


def test_a_truncated_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(_history()).encode())[:-20])

    with pytest.raises(BadInput, match=r"cut\.jsonl\.gz"):
        list(verify_files([InputFile(path)]))


def test_a_number_that_became_a_boolean_is_reported(tmp_path: Path) -> None:
    history = _history()
    history["steps"][0]["expect"]["scheduled"][0]["kwargs"]["a"]["n"] = True

    assert _verify_one(tmp_path, history)
