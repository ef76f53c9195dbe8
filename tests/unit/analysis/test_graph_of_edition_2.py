"""Pictures of rules of edition 2: conditions, times, outcomes, forwards."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from tests.support.edition2.state import Json

from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape
from triggers.analysis.graph.rules import picture_of_rules
from triggers.analysis.graph.svg import svg
from triggers.core.config import compile_plan


def picture(rules: Json) -> Picture:
    return picture_of_rules(compile_plan(json.dumps({"$edition": 2} | rules).encode()), "rules")


def task(**directives: object) -> Json:
    return {"t_a": {"run": "app.run"} | directives}


def nodes(rules: Json, shape: Shape) -> list[tuple[str, ...]]:
    return [node.lines for node in picture(rules).nodes if node.shape is shape]


def edges(rules: Json) -> list[tuple[str, str, Line, str]]:
    """The edges by the first lines of their nodes, which say more than ids."""
    drawn = picture(rules)
    first = {
        node.id: " ".join(node.lines[:2] if node.shape is Shape.CONDITION else node.lines[:1]) for node in drawn.nodes
    }
    return [(first[edge.source], first[edge.target], edge.line, edge.label) for edge in drawn.edges]


# -- conditions --------------------------------------------------------------------------------------------------------


def test_rules_of_edition_1_are_drawn_as_before() -> None:
    rules = {
        "t_a": {"after": ["a", "p"], "andEvery": "p", "unless": ["u"], "run": "r"},
        "t_b": {"after": ["t_a"], "run": "r"},
    }

    assert edges(rules) == [
        ("a", "t_a", Line.AFTER, ""),
        ("p", "t_a", Line.EVERY, "every"),
        ("u", "t_a", Line.UNLESS, "unless"),
        ("t_a", "t_b", Line.AFTER, ""),
    ]


def test_any_and_the_lists_in_it_have_nodes() -> None:
    assert edges(task(after=["form", {"any": ["card", ["debit", "signed"]]}])) == [
        ("form", "t_a", Line.AFTER, ""),
        ("any", "t_a", Line.AFTER, ""),
        ("card", "any", Line.AFTER, ""),
        ("all", "any", Line.AFTER, ""),
        ("debit", "all", Line.AFTER, ""),
        ("signed", "all", Line.AFTER, ""),
    ]


@pytest.mark.parametrize(
    ("after", "heading"),
    [
        ({"atLeast": 2, "of": ["a", "b", "c"]}, "at least 2"),
        ({"sequence": ["a", "b"]}, "sequence"),
        ({"any": ["a", "b"], "within": "90s"}, "any within 90s"),
    ],
)
def test_a_combinator_says_what_it_needs(after: Json, heading: str) -> None:
    assert nodes(task(after=after), Shape.CONDITION) == [(heading,)]


def test_the_steps_of_a_sequence_are_numbered() -> None:
    drawn = edges(task(after={"sequence": ["armed", {"trigger": "opened", "count": 2}]}))

    assert [label for _, target, _, label in drawn if target == "sequence"] == ["1.", "2. 2 x"]


def test_the_window_of_a_whole_task_is_between_its_triggers_and_the_task() -> None:
    assert edges(task(after=["smoke"], andEvery="heat", within="10s")) == [
        ("all within 10s", "t_a", Line.AFTER, ""),
        ("smoke", "all within 10s", Line.AFTER, ""),
        ("heat", "all within 10s", Line.EVERY, "every"),
    ]


@pytest.mark.parametrize(
    ("leaf", "lines"),
    [
        ({"when": "kwargs.n > 1"}, ("x", "when kwargs.n > 1")),
        ({"as": "low"}, ("x", "as low")),
        ({"count": 3, "distinct": "kwargs.by"}, ("3 x x", "distinct kwargs.by")),
        ({"count": "all", "as": "many"}, ("all x", "as many")),
        ({"count": "size(on.y)", "keep": "latest"}, ("[size(on.y)] x x", "the latest")),
    ],
)
def test_a_leaf_with_more_than_a_number_has_a_node(leaf: Json, lines: tuple[str, ...]) -> None:
    assert nodes(task(after=[{"trigger": "x"} | leaf]), Shape.CONDITION) == [lines]


@pytest.mark.parametrize(("count", "label"), [(3, "3 x"), ("all", "all"), ("on.y.n", "[on.y.n] x")])
def test_a_count_alone_is_a_label(count: object, label: str) -> None:
    assert edges(task(after=[{"trigger": "x", "count": count}])) == [("x", "t_a", Line.AFTER, label)]


# -- tasks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directives", "line"),
    [
        ({"delay": "15m"}, "delay 15m"),
        ({"delay": {"for": "10s", "restart": True, "atMost": "1m"}}, "delay 10s, restarts, at most 1m"),
        ({"deadline": "1h"}, "deadline 1h: expires"),
        ({"deadline": {"in": "500ms", "then": "run"}}, "deadline 500ms: runs"),
        ({"retry": {"attempts": 5, "wait": "2s", "backoff": 1.5}}, "5 attempts, wait 2s x 1.5"),
        ({"timeouts": {"running": "5m"}}, "running at most 5m"),
        ({"queue": "billing"}, "queue billing"),
        ({"with": {"order": "session.uid", "by": "on.x.by"}}, "with order, by"),
        ({"optional": True}, "optional"),
    ],
)
def test_a_task_says_its_times_and_how_it_is_called(directives: Json, line: str) -> None:
    assert nodes(task(after=["x"], **directives), Shape.TASK) == [("t_a", "app.run", line)]


@pytest.mark.parametrize(("terminate", "label"), [(False, "cancels"), (True, "terminates")])
def test_what_cancels_a_task_is_drawn(terminate: bool, label: str) -> None:
    cancel_on = {"on": ["stop"], "terminate": terminate}

    assert ("stop", "t_a", Line.CANCEL, label) in edges(task(after=["x"], cancelOn=cancel_on))


def test_several_triggers_of_unless_are_needed_together() -> None:
    assert ("all", "t_a", Line.UNLESS, "unless") in edges(task(after=["x"], unless=["y", "z"]))


def test_an_outcome_leads_from_its_task() -> None:
    rules = task(after=["x"], deadline="1h") | {"t_b": {"after": ["t_a:expired", "t_c:failed"], "run": "r"}}

    assert edges(rules)[1:] == [("t_a", "t_b", Line.AFTER, "expired"), ("t_c:failed", "t_b", Line.AFTER, "")]


def test_what_the_engine_fires_at_the_end_says_when() -> None:
    rules = {"$session": {"finalize": "done"}} | task(after=["done"])

    assert nodes(rules, Shape.TRIGGER) == [("done", "when no task is unresolved")]


def test_a_forward_leads_to_a_session() -> None:
    forward = {"on": "t_a", "to": "'c-' + kwargs.c", "as": "shipped", "with": {"order": "session.uid"}}
    rules = {"$forward": [forward, {"on": {"trigger": "x", "when": "kwargs.n > 1"}, "to": "kwargs.c"}]} | task(
        after=["x"]
    )

    assert nodes(rules, Shape.SESSION) == [
        ("fires shipped", "in session 'c-' + kwargs.c", "with order"),
        ("fires x", "in session kwargs.c"),
    ]
    assert ("t_a", "fires shipped", Line.FORWARD, "forwards") in edges(rules)
    assert ("x when kwargs.n > 1", "fires x", Line.FORWARD, "forwards") in edges(rules)


def test_long_expressions_are_cut() -> None:
    when = " || ".join(f"kwargs.n == {n}" for n in range(100))

    ((_, line),) = nodes(task(after=[{"trigger": "x", "when": when}]), Shape.CONDITION)

    assert len(line) < 70
    assert line.endswith("…")


EVERYTHING: Json = {
    "$session": {"finalize": "done"},
    "$forward": [{"on": "t_a", "to": "'c'"}],
    "t_a": {
        "after": {"sequence": ["x", {"any": ["y", {"trigger": "z", "when": "kwargs.n > 1"}]}], "within": "1m"},
        "unless": ["u", "v"],
        "cancelOn": ["w"],
        "delay": "1m",
        "run": "r",
    },
    "t_b": {"after": ["t_a:failed"], "run": "r"},
}


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        (mermaid, ['("any")', '("z<br/>when kwargs.n #62; 1")', '[["fires t_a<br/>', "--x|", "--o|", '|"failed"|']),
        (dot, ['style="rounded"', 'peripheries="2"', 'label="cancels" color="#b3261e"', 'arrowhead="odot"']),
        (svg, ['rx="9.0"', 'marker-end="url(#dot)"', ">delay 1m</text>", ">sequence within 1m</text>"]),
    ],
)
def test_everything_is_in_every_format(language: object, parts: list[str]) -> None:
    assert callable(language)
    drawn = language(picture(EVERYTHING))

    assert [part for part in parts if part not in drawn] == []


def test_every_shape_and_line_has_a_look_in_every_format() -> None:
    shown = tuple(Node(id=str(shape), shape=shape, lines=(str(shape),)) for shape in Shape)
    joined = tuple(Edge(source=shown[0].id, target=shown[1].id, line=line, label=str(line)) for line in Line)
    drawn = Picture(title="all", nodes=shown, edges=joined)

    assert len(mermaid(drawn).splitlines()) == 2 + len(Shape) + len(Line)
    assert len(dot(drawn).splitlines()) == 5 + len(Shape) + len(Line)
    assert len(ET.fromstring(svg(drawn)).findall(".//{*}path[@fill='none']")) == len(Line)  # noqa: S314  # it is ours
