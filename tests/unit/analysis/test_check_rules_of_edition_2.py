"""Static checks of edition 2: every kind of finding, where it is, and rules that have none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triggers.analysis.check.findings import KINDS, CheckFinding, Severity
from triggers.analysis.check.rules import check_rules
from triggers.core.config import validate_configuration

Json = dict[str, Any]

CONTRARY = ("kwargs.t < 5", "kwargs.t > 9")

ORDER = {"trigger": "paid", "when": "kwargs.id == on.order.id"}


def task(*after: object, **other: object) -> Json:
    return {"after": list(after), "run": "app.run"} | other


def every(trigger: object, **other: object) -> Json:
    return {"andEvery": trigger, "run": "app.run"} | other


def when(text: str, trigger: str = "x", **other: object) -> Json:
    return {"trigger": trigger, "when": text} | other


def encoded(rules: Json) -> bytes:
    return json.dumps({"$edition": 2} | rules).encode()


def found(rules: Json) -> list[CheckFinding]:
    return check_rules(encoded(rules)).findings


FINDINGS: list[tuple[str, Json, tuple[str | None, str | None]]] = [
    # what the engine refuses, each directive by itself
    ("invalid-directive", {"t_a": task("x", dely="5s")}, ("t_a", "dely")),
    ("invalid-directive", {"t_a": task("x", delay="soon")}, ("t_a", "delay")),
    ("invalid-directive", {"t_a": task({"trigger": "x", "wen": "true"})}, ("t_a", "after")),
    ("invalid-directive", {"t_a": task("x", unless=[{"any": []}])}, ("t_a", "unless")),
    ("invalid-directive", {"t_a": task("x", **{"with": {}, "withParams": {}})}, ("t_a", None)),
    ("invalid-directive", {"t_a": task(when("kwargs.n >")), "t_b": task("x")}, ("t_a", "after")),
    ("invalid-directive", {"$session": {"finalise": "done"}, "t_a": task("x")}, ("$session", None)),
    ("invalid-directive", {"$sesion": {}, "t_a": task("x")}, ("$sesion", None)),
    ("invalid-directive", {"$forward": [{"on": "x"}], "t_a": task("x")}, ("$forward", None)),
    ("invalid-directive", {"t_a:failed": task("x")}, ("t_a:failed", None)),
    # never true
    ("never-true", {"t_a": task({"any": ["y", when("false")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", when("1 + 1")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", when("size(kwargs.n)")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", when("kwargs.t < 5 && kwargs.t > 9")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", when("event.trigger == 'z'")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", when("event.kind == 'z'")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", when("session.uid > 3")]})}, ("t_a", "after")),
    ("never-true", {"t_a": task("x", unless=[when("kwargs.n == 1 && kwargs.n == 2")])}, ("t_a", "unless")),
    ("never-true", {"t_a": task("x", cancelOn=[when("false")])}, ("t_a", "cancelOn")),
    ("never-true", {"t_a": task("x", cancelOn=["t_b:expired"]), "t_b": task("y")}, ("t_a", "cancelOn")),
    ("never-true", {"t_a": task("x"), "t_b": task({"any": ["y", {"trigger": "t_a", "count": 2}]})}, ("t_b", "after")),
    ("never-true", {"t_a": task({"trigger": "x", "count": 2, "distinct": "session.uid"})}, ("t_a", "after")),
    ("never-true", {"t_a": task({"any": ["y", {"trigger": "x", "count": "2000 + 1"}]})}, ("t_a", "after")),
    ("never-true", {"t_a": task("x"), "t_b": task({"any": ["y", "t_a:expired"]})}, ("t_b", "after")),
    ("never-true", {"$forward": [{"on": when("false"), "to": "'c'"}], "t_a": task("x")}, ("$forward", None)),
    ("never-true", {"$forward": [{"on": "t_a:expired", "to": "'c'"}], "t_a": task("x")}, ("$forward", None)),
    ("never-runs", {"t_a": task(when("false"))}, ("t_a", "after")),
    (
        "never-runs",
        {"t_a": task({"atLeast": 2, "of": ["x", when("false", "y"), when("false", "z")]})},
        ("t_a", "after"),
    ),
    ("never-runs", {"t_a": task("x"), "t_b": task({"trigger": "t_a", "count": 2})}, ("t_b", "after")),
    ("never-runs", {"t_a": task(when("'z' in on"))}, ("t_a", "after")),
    ("never-runs", {"t_a": task(when("false")), "t_b": task("t_a")}, ("t_b", "after")),
    ("unproduced-trigger", {"t_a": task("x"), "t_b": task("t_a:cancelled")}, ("t_b", "after")),
    ("unless-never-wins", {"t_a": task("x", unless=["t_b:expired"]), "t_b": task("y")}, ("t_a", "unless")),
    ("unless-never-wins", {"t_a": task("x", unless=["t_a:failed"])}, ("t_a", "unless")),
    ("unless-always-wins", {"t_a": task("x", unless={"any": ["x", "y"]})}, ("t_a", "unless")),
    ("empty-after", {"t_a": task()}, ("t_a", "after")),
    ("deadlock", {"t_a": task({"any": ["t_b", "t_b:failed"]}), "t_b": task("t_a")}, ("t_a", "after")),
    # always true, or nothing to decide
    ("always-true", {"t_a": task(when("true"))}, ("t_a", "after")),
    ("always-true", {"t_a": task(when("event.trigger == 'x'"))}, ("t_a", "after")),
    ("always-true", {"t_a": task(when("kwargs.n > 1 || 1 < 2"))}, ("t_a", "after")),
    ("subsumed-branch", {"t_a": task({"any": ["x", ["y", {"trigger": "x", "as": "x2"}]]})}, ("t_a", "after")),
    ("subsumed-branch", {"t_a": task({"any": ["x", when("kwargs.n > 1", **{"as": "big"})]})}, ("t_a", "after")),
    ("subsumed-branch", {"t_a": task({"any": ["x", {"trigger": "x", "count": 3, "as": "three"}]})}, ("t_a", "after")),
    (
        "subsumed-branch",
        {"t_a": task("x", unless={"any": ["y", {"atLeast": 2, "of": ["y", "z", "y"]}]})},
        ("t_a", "unless"),
    ),
    # rules that feed themselves
    ("endless-cascade", {"t_a": every("t_a")}, ("t_a", "andEvery")),
    ("endless-cascade", {"t_a": every("t_b:failed"), "t_b": every("t_a")}, ("t_a", "andEvery")),
    ("endless-cascade", {"t_a": every("t_a:abandoned", unless=["x"])}, ("t_a", "andEvery")),
    ("conditional-cascade", {"t_a": every(when("kwargs.more", "t_a"))}, ("t_a", "andEvery")),
    ("endless-forward", {"$forward": [{"on": "x", "to": "session.uid"}], "t_a": task("x")}, ("$forward", None)),
    (
        "endless-forward",
        {"$forward": [{"on": "t_a", "to": "session.uid", "as": "x"}], "t_a": task("x")},
        ("$forward", None),
    ),
    ("forward-chain", {"$forward": [{"on": "t_a", "to": "kwargs.c", "as": "x"}], "t_a": task("x")}, ("$forward", None)),
    # times
    ("deadline-always-wins", {"t_a": task("x", delay="15m", deadline="5m")}, ("t_a", "deadline")),
    ("delay-never-ends", {"t_a": task("x", delay="15m", deadline={"in": "5m", "then": "run"})}, ("t_a", "deadline")),
    ("deadline-never-due", {"t_a": task("x", deadline="5m")}, ("t_a", "deadline")),
    ("deadline-never-due", {"t_a": task({"any": ["x", "y"]}, deadline="5m", delay="1m")}, ("t_a", "deadline")),
    (
        "deadline-never-due",
        {"t_a": every("x", deadline="5m", delay={"for": "1m", "restart": True, "atMost": "5m"})},
        ("t_a", "deadline"),
    ),
    ("within-too-short", {"t_a": task("x", delay="15m"), "t_b": task("x", "t_a", within="5m")}, ("t_b", "after")),
    (
        "within-too-short",
        {
            "t_a": task({"trigger": "x", "count": 2}, deadline="1h"),
            "t_b": task({"all": ["x", "t_a:expired"], "within": "5m"}),
        },
        ("t_b", "after"),
    ),
    ("unless-remembers", {"t_a": every("x", unless=["paid"], delay="15m")}, ("t_a", "unless")),
    ("unless-ends-task", {"t_a": every("x", unless=["paid"])}, ("t_a", "unless")),
    # aliases
    ("unknown-alias", {"t_a": task("x", **{"with": {"n": "on.y.n"}})}, ("t_a", "with")),
    ("unknown-alias", {"t_a": task("x", {"trigger": "y", "count": "on.xx.n"})}, ("t_a", "after")),
    ("argument-may-fail", {"t_a": task({"any": ["x", "y"]}, **{"with": {"n": "on.x.n"}})}, ("t_a", "with")),
    (
        "argument-may-fail",
        {"t_a": task("x", "y", deadline={"in": "1h", "then": "run"}, **{"with": {"n": "on.y.n"}})},
        ("t_a", "with"),
    ),
    # names
    ("unknown-task", {"t_a": task("t_b:failed")}, ("t_a", "after")),
    ("similar-names", {"t_a": task("pageReceived"), "t_b": task({"any": ["pageRecieved", "x"]})}, ("t_a", "after")),
]


@pytest.mark.parametrize(("rule", "rules", "where"), FINDINGS)
def test_a_mistake_is_found_at_its_task_and_directive(
    rule: str, rules: Json, where: tuple[str | None, str | None]
) -> None:
    assert (rule, *where) in [(one.rule, one.task, one.directive) for one in found(rules)]


def test_every_kind_of_finding_of_edition_2_has_a_test() -> None:
    elsewhere = {"time-sensitive"}
    of_edition_2 = set(list(KINDS)[list(KINDS).index("deadline-always-wins") : list(KINDS).index("order-sensitive")])

    assert of_edition_2 <= {rule for rule, *_ in FINDINGS} | elsewhere


SOUND: list[Json] = [
    {"t_a": task("x", {"any": ["y", "z"]}, unless={"any": ["u", "v"]}, delay="1m", deadline="1h")},
    {"t_a": every("order", unless=[ORDER], delay="15m", cancelOn=["stop"])},
    {"t_a": task("x", "t_b:failed"), "t_b": task("y", retry={"attempts": 3})},
    {"t_a": task("x", "y", deadline="1h"), "t_b": task("t_a:expired")},
    {"t_a": task("x", cancelOn=["z"]), "t_b": task("t_a:cancelled")},
    {"t_a": task("x", "other:failed")},
    {"t_a": task({"trigger": "t_b", "count": 2}), "t_b": every("x", unless=[ORDER | {"when": "kwargs.n == on.x.n"}])},
    {"t_a": task({"any": ["x", "y"]}, **{"with": {"n": "has(on.x) ? on.x.n : 0"}})},
    {"t_a": task("x", "y", **{"with": {"n": "on.x.n + on.y.n", "by": "session.uid"}})},
    {"t_a": task("x", delay="5m"), "t_b": task("x", "t_a", within="15m")},
    {"t_a": task({"sequence": ["x", when("kwargs.n > 3 && kwargs.n < 4", "y")]})},
    {"t_a": task("x"), "t_b": task("t_a", {"trigger": "x2", "count": "on.t_a.parts"})},
    {"$session": {"finalize": "done"}, "t_a": task("x"), "t_b": task("done")},
    {"$forward": [{"on": "t_a", "to": "kwargs.c", "as": "shipped"}], "t_a": task("x")},
    {"t_a": task({"any": [{"trigger": "x", "count": 2}, when("kwargs.n > 1", **{"as": "big"})]})},
    {"t_a": task({"any": [["x", "y"], [{"trigger": "x", "as": "x2"}, "z"]]})},
    {"t_a": task({"trigger": "x", "count": 5}, deadline={"in": "1h", "then": "run"})},
]


@pytest.mark.parametrize("rules", SOUND)
def test_rules_that_work_have_no_findings(rules: Json) -> None:
    validate_configuration(encoded(rules))

    assert [one for one in found(rules) if one.severity is not Severity.NOTE] == []


def test_all_refusals_of_a_file_are_reported_at_once() -> None:
    rules = {
        "$limits": {"sessionTtl": "soon"},
        "t_a": task("x", dely="5s", delay="x", retry={}),
        "t_b": task(when("kwargs.")),
        "t_c": task(),
    }

    refused = [(one.task, one.directive) for one in found(rules) if one.rule == "invalid-directive"]

    assert refused == [("$limits", None), ("t_a", "dely"), ("t_a", "delay"), ("t_a", "retry"), ("t_b", "after")]
    assert ("empty-after", "t_c") in [(one.rule, one.task) for one in found(rules)]


def test_a_finding_about_an_expression_is_located_at_the_expression() -> None:
    text = '{"$edition": 2,\n "t_a": {"after": ["y", {"trigger": "x",\n  "when": "false"}], "run": "r"}}'

    (one,) = [one for one in check_rules(text.encode()).findings if one.rule == "never-true"]

    assert (one.location.line, text.splitlines()[2][one.location.column - 1 : one.location.end_column - 1]) == (
        3,
        '"false"',
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"t_a": task("y", when(" && ".join(CONTRARY)))},
            f"'x' in `after` of t_a is never true: {' and '.join(CONTRARY)} exclude each other",
        ),
        (
            {"t_a": task("x"), "t_b": task("y", {"trigger": "t_a", "count": 2})},
            "'t_a' in `after` of t_b is never true: it needs 2 x t_a, which fires at most 1 x in a session",
        ),
        (
            {"t_a": task("x", delay="15m"), "t_b": task("x", "t_a", within="5m")},
            "`within` 5m of t_b never holds, unless 'x' fires again: 't_a' fires 15m after 'x' or later",
        ),
        (
            {"t_a": task("x"), "t_b": task("t_a:expired")},
            "nothing fires 't_a:expired', because t_a has no 'deadline' that expires, so t_b never runs",
        ),
    ],
)
def test_a_message_says_why(rules: Json, message: str) -> None:
    assert message in [one.message for one in found(rules)]


def test_what_the_application_fires_may_be_declared() -> None:
    rules = {"t_a": task({"any": ["x", "y"]}), "t_b": task("x", "y")}

    findings = check_rules(encoded(rules), {"x"}).findings

    assert [(one.rule, one.task) for one in findings] == [
        ("never-true", "t_a"),
        ("never-true", "t_b"),
        ("unproduced-trigger", "t_b"),
    ]
