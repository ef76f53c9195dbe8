"""Static checks: every kind of finding, its location, and that it is true of the engine."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.small_rules import (
    EndlessCascade,
    Rules,
    directives,
    encode_rules,
    play_triggers,
    rules,
    statuses_by_task,
    triggers,
)
from tests.unit.analysis.test_check_rules_of_edition_2 import FINDINGS as FINDINGS_OF_EDITION_2

from triggers.analysis.check.findings import KINDS, CheckFinding, Severity
from triggers.analysis.check.rules import check_rules
from triggers.core.config import DIRECTIVES, validate_configuration
from triggers.errors import InvalidConfiguration

REFUSED = {"invalid-json", "duplicate-key", "invalid-directive"}
NEVER_RUN = {"empty-after", "deadlock", "never-runs", "unless-always-wins"}


def _task(*after: str, **other: object) -> dict[str, Any]:
    return {"after": list(after), "run": "app.run"} | other


FINDINGS: list[tuple[str, object, tuple[str | None, str | None]]] = [
    ("invalid-json", [], (None, None)),
    ("invalid-directive", {"t_a": []}, ("t_a", None)),
    ("invalid-directive", {"t_a": {"run": "r"}}, ("t_a", None)),
    ("invalid-directive", {"t_a": {"afterr": ["x"], "run": "r"}}, ("t_a", "afterr")),
    ("invalid-directive", {"t_a": {"after": ["x"]}}, ("t_a", None)),
    ("invalid-directive", {"t_a": _task("x") | {"run": 1}}, ("t_a", "run")),
    ("invalid-directive", {"t_a": {"after": "x", "run": "r"}}, ("t_a", "after")),
    ("invalid-directive", {"t_a": _task("x", andEvery=["p"])}, ("t_a", "andEvery")),
    ("invalid-directive", {"t_a": _task("x", unless="y")}, ("t_a", "unless")),
    ("invalid-directive", {"t_a": _task("x", using=1)}, ("t_a", "using")),
    ("invalid-directive", {"t_a": _task("x", withParams=[])}, ("t_a", "withParams")),
    ("invalid-directive", {"t_a": _task("x", name="n")}, ("t_a", "name")),
    ("invalid-directive", {"t_a": _task("x", timeouts={"runing": 1})}, ("t_a", "timeouts")),
    ("invalid-directive", {"$limits": {"maxCascade": 1}, "t_a": _task("x")}, ("$limits", None)),
    ("misspelt-directive", {"t_a": _task("x", andevery="p")}, ("t_a", "andevery")),
    ("misspelt-directive", {"t_a": _task("x", and_every="p")}, ("t_a", "and_every")),
    ("misspelt-directive", {"t_a": _task("x", unles=["p"])}, ("t_a", "unles")),
    ("empty-after", {"t_a": _task()}, ("t_a", "after")),
    ("empty-after", {"t_a": _task(unless=["x", "y"])}, ("t_a", "after")),
    ("deadlock", {"t_a": _task("t_b"), "t_b": _task("t_a")}, ("t_a", "after")),
    ("deadlock", {"t_a": _task("t_a", "x")}, ("t_a", "after")),
    ("deadlock", {"t_a": _task("t_b"), "t_b": _task(andEvery="t_a")}, ("t_a", "after")),
    ("endless-cascade", {"t_a": _task("x", andEvery="t_a")}, ("t_a", "andEvery")),
    ("endless-cascade", {"t_a": _task(andEvery="t_b"), "t_b": _task(andEvery="t_a")}, ("t_a", "andEvery")),
    ("never-runs", {"t_a": _task("t_a"), "t_b": _task("t_a")}, ("t_b", "after")),
    ("never-runs", {"t_a": _task(), "t_b": _task("t_a")}, ("t_b", "after")),
    ("unless-always-wins", {"t_a": _task("x", "y", unless=["y"])}, ("t_a", "unless")),
    ("unless-always-wins", {"t_a": _task("x", andEvery="p", unless=["p"])}, ("t_a", "unless")),
    ("unless-always-wins", {"t_a": _task("x"), "t_b": _task("t_a", unless=["x"])}, ("t_b", "unless")),
    ("unless-never-wins", {"t_a": _task("x", unless=["t_b"]), "t_b": _task()}, ("t_a", "unless")),
    ("unless-never-wins", {"t_a": _task("x", unless=["t_a"])}, ("t_a", "unless")),
    ("unless-never-wins", {"t_a": _task("x", unless=["t_b"]), "t_b": _task("t_a")}, ("t_a", "unless")),
    ("unknown-task", {"t_a": _task("t_b")}, ("t_a", "after")),
    ("unknown-task", {"t_a": _task("x"), "t_b": _task(andEvery="t_a#0")}, ("t_b", "andEvery")),
    ("similar-names", {"t_a": _task("pageReceived"), "t_b": _task("pageRecieved")}, ("t_a", "after")),
    ("similar-names", {"t_a": _task("Paid"), "t_b": _task("paid")}, ("t_a", "after")),
    ("misspelt-param", {"t_a": _task("paid", withParams={"Paid": {"n": 1}})}, ("t_a", "withParams")),
    ("unless-repeats-after", {"t_a": _task("x", unless=["x", "y"])}, ("t_a", "unless")),
    ("repeated-trigger", {"t_a": _task("x", "x")}, ("t_a", "after")),
    ("unbounded-and-every", {"t_a": _task(andEvery="p")}, ("t_a", "andEvery")),
    ("task-prefix", {"a": _task("x")}, ("a", None)),
]


@pytest.mark.parametrize(("rule", "configuration", "where"), FINDINGS)
def test_a_mistake_is_found_at_its_task_and_directive(
    rule: str, configuration: object, where: tuple[str | None, str | None]
) -> None:
    found = check_rules(json.dumps(configuration).encode()).findings

    assert (rule, *where) in [(one.rule, one.task, one.directive) for one in found]


DECLARED: list[tuple[str, Rules, list[str]]] = [
    ("unproduced-trigger", {"t_a": _task("x", "y")}, ["x"]),
    ("unless-never-wins", {"t_a": _task("x", unless=["y"])}, ["x"]),
    ("name-clash", {"t_a": _task("x")}, ["x", "t_a"]),
    ("unused-trigger", {"t_a": _task("x")}, ["x", "y"]),
    ("similar-names", {"t_a": _task("pageRecieved")}, ["pageReceived"]),
    ("endless-cascade", {"t_a": _task(andEvery="t_a")}, ["t_a"]),
]


@pytest.mark.parametrize(("rule", "configuration", "declared"), DECLARED)
def test_findings_depend_on_what_the_application_fires(rule: str, configuration: Rules, declared: list[str]) -> None:
    assert rule in _rules(_found(encode_rules(configuration), declared))


def test_every_kind_of_finding_has_a_test() -> None:
    elsewhere = {"duplicate-key", "order-sensitive"}

    assert {rule for rule, *_ in [*FINDINGS, *DECLARED, *FINDINGS_OF_EDITION_2]} | elsewhere | {
        "time-sensitive"
    } == set(KINDS)


@pytest.mark.parametrize(
    "configuration",
    [
        {"t_a": _task("x", andEvery="p", unless=["done"]), "t_b": _task("t_a", owner="me", withParams={"x": {}})},
        {"t_a": _task("x"), "t_b": _task("y", andEvery="t_a")},
        {"t_a": _task("page1Received", "page2Received")},
        {"t_a": _task("x", andEvery="p", unless=["t_b"]), "t_b": _task("t_a")},
        {"$limits": {"maxCascadeDepth": 5}, "t_a": _task("x", timeouts={"running": 60})},
        {},
    ],
)
def test_rules_that_work_have_no_findings(configuration: Rules) -> None:
    assert _found(encode_rules(configuration)) == []


def test_a_finding_has_the_location_of_its_cause() -> None:
    lines = ['{"t_ü😀": {', '\t"after": ["x",', '  "x"], "run": "a",', '  "andevery": "p", "andevery": "q"}}']
    found = check_rules("\n".join(lines).encode()).findings

    locations = {
        (one.rule, lines[one.location.line - 1][one.location.column - 1 : one.location.end_column - 1]) for one in found
    }

    assert locations == {
        ("repeated-trigger", '"x"'),
        ("misspelt-directive", '"andevery"'),
        ("duplicate-key", '"andevery"'),
    }


@pytest.mark.parametrize(("text", "line", "column"), [(b'{\n "t_a": {]}', 2, 10), (b"", 1, 1), (b"\xff", 1, 1)])
def test_invalid_json_is_reported_where_it_begins_to_be_invalid(text: bytes, line: int, column: int) -> None:
    (one,) = check_rules(text).findings

    assert (one.rule, one.location.line, one.location.column) == ("invalid-json", line, column)


def test_the_other_tasks_are_checked_although_one_is_refused() -> None:
    found = _found(encode_rules({"t_a": {"run": "r"}, "t_b": _task(), "t_c": _task("t_a")}))

    assert _rules(found) == ["invalid-directive", "empty-after"]


def test_the_fix_for_a_misspelt_directive_names_the_right_one() -> None:
    (one,) = _found(encode_rules({"t_a": {"After": ["x"], "run": "r"}}))

    assert one.fix == "rename 'After' to 'after'"


NAMES = st.one_of(st.just("$limits"), st.text(max_size=4))
KEYS = st.one_of(st.sampled_from([*DIRECTIVES, "name", "After", "owner"]), st.text(max_size=3))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.one_of(directives(), st.dictionaries(KEYS, VALUES)), max_size=3))
def test_a_refusal_is_reported_exactly_if_the_engine_refuses(configuration: Rules) -> None:
    text = encode_rules(configuration)

    refusals = REFUSED & set(_rules(check_rules(text).findings))

    assert bool(refusals) == _refused(text)


@settings(deadline=None)
@given(st.text(alphabet='{}[]":,ab \n', max_size=12))
def test_any_text_is_refused_exactly_if_the_engine_refuses_it(text: str) -> None:
    refusals = REFUSED & set(_rules(check_rules(text.encode()).findings))

    assert bool(refusals) == _refused(text.encode())


@settings(max_examples=150, deadline=None)
@given(rules(), st.lists(triggers(), max_size=8))
def test_a_task_that_never_runs_by_the_check_never_runs_for_any_events(configuration: Rules, order: list[str]) -> None:
    order = [trigger for trigger in order if trigger not in configuration]
    found = _found(encode_rules(configuration))
    dead = {one.task for one in found if one.rule in NEVER_RUN}

    ran = {task for task, ends in statuses_by_task(play_triggers(configuration, order)).items() if "finished" in ends}

    assert not ran & dead


@settings(max_examples=150, deadline=None)
@given(rules(), st.lists(triggers(), max_size=8))
def test_a_task_whose_unless_never_wins_by_the_check_is_not_abandoned(configuration: Rules, order: list[str]) -> None:
    order = [trigger for trigger in order if trigger not in configuration]
    safe = {one.task for one in _found(encode_rules(configuration)) if one.rule == "unless-never-wins"}

    abandoned = {
        task for task, ends in statuses_by_task(play_triggers(configuration, order)).items() if "abandoned" in ends
    }

    assert not abandoned & safe


@settings(max_examples=150, deadline=None)
@given(rules(), st.lists(triggers(), max_size=8))
def test_only_a_cascade_that_is_reported_never_ends(configuration: Rules, order: list[str]) -> None:
    found = _rules(_found(encode_rules(configuration), {*order}))

    try:
        play_triggers(configuration, order)
    except EndlessCascade:
        assert "endless-cascade" in found


def test_severities_are_ordered() -> None:
    assert Severity.ERROR.at_least(Severity.WARNING)
    assert not Severity.NOTE.at_least(Severity.WARNING)


def _found(text: bytes, declared: Collection[str] | None = None) -> list[CheckFinding]:
    return check_rules(text, declared).findings


def _rules(found: list[CheckFinding]) -> list[str]:
    return [one.rule for one in found]


def _refused(text: bytes) -> bool:
    try:
        validate_configuration(text)
    except InvalidConfiguration:
        return True
    return False
