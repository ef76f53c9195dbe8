"""Pictures of rules and sessions of edition 2: conditions, times, outcomes, forwards; and what caused an instance."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, RANDOM, histories
from tests.support.edition2.state import Json
from tests.support.memory_session import MemorySession

from triggers.analysis.graph.cause import By
from triggers.analysis.graph.causes import CausedInstance, causes_of, picture_of_session
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape
from triggers.analysis.graph.rules import picture_of_rules
from triggers.analysis.graph.svg import svg
from triggers.core.config import compile_plan
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    RulesPublished,
    TaskFailed,
    TaskFinished,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.rows import due_timers

LATER = 1 << 60


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


# -- sessions ----------------------------------------------------------------------------------------------------------


RULES: Json = {
    "$edition": 2,
    "t_charge": {
        "after": ["order", {"any": ["card", "invoice"]}],
        "run": "app.charge",
        "retry": {"attempts": 2, "wait": "1s", "jitter": 0},
    },
    "t_ship": {"after": ["t_charge"], "cancelOn": ["withdrawn"], "delay": "10s", "run": "app.ship"},
    "t_match": {"after": ["order", "never"], "deadline": "5s", "run": "app.match"},
    "t_remind": {"after": ["order"], "unless": ["card"], "delay": "1m", "run": "app.remind"},
    "t_refund": {"after": ["t_match:expired", "t_ship:cancelled"], "run": "app.refund"},
}


def run_due(session: MemorySession) -> None:
    timer = next(due_timers(session.rows, LATER))
    event = TimerFired(instance=timer.instance, attempt=timer.attempt, due=timer.due, kind=timer.kind)
    session.apply_at(event, timer.due)


@pytest.fixture
def session() -> MemorySession:
    found = MemorySession(RULES)
    found.fire("order")
    found.fire("card")
    found.apply(TaskFailed(instance="t_charge#0", attempt=1, exception_type="app.Away"))
    run_due(found)
    found.apply(TaskFinished(instance="t_charge#0", attempt=2))
    run_due(found)
    found.fire("withdrawn")
    return found


def caused(session: MemorySession) -> dict[str, CausedInstance]:
    return {one.name: one for one in causes_of(session.uid, session.log)}


def causes(one: CausedInstance) -> list[tuple[By, str | None, str | None]]:
    return [(cause.by, cause.trigger, cause.instance) for cause in one.causes]


def test_an_instance_comes_from_what_it_holds_and_from_its_timers(session: MemorySession) -> None:
    assert causes(caused(session)["t_charge#0"]) == [
        (By.APPLICATION, "order", None),
        (By.APPLICATION, "card", None),
        (By.TIMER, None, "t_charge#0"),
    ]


def test_what_stopped_an_instance_is_a_cause(session: MemorySession) -> None:
    found = caused(session)

    assert [(cause.trigger, cause.stops) for cause in found["t_match#0"].causes] == [("order", ""), (None, "expired")]
    assert [(cause.trigger, cause.stops) for cause in found["t_ship#0"].causes] == [
        ("t_charge", ""),
        ("withdrawn", "cancelled"),
    ]
    assert [(cause.trigger, cause.unless) for cause in found["t_remind#0"].causes] == [("order", False), ("card", True)]


def test_an_outcome_comes_from_the_instance_that_it_is_about(session: MemorySession) -> None:
    refund = caused(session)["t_refund#0"]

    assert [(cause.instance, cause.outcome) for cause in refund.causes] == [
        ("t_match#0", "expired"),
        ("t_ship#0", "cancelled"),
    ]
    assert [root.what for root in refund.roots] == ["order fired", "card fired", "withdrawn fired"]


def test_a_session_is_drawn_with_its_timers_and_stops(session: MemorySession) -> None:
    drawn = picture_of_session(causes_of(session.uid, session.log), session.uid)

    assert [node.lines[0] for node in drawn.nodes if node.shape is Shape.TIMER] == [
        "the retry timer of t_charge#0 was due",
        "the deadline timer of t_match#0 was due",
    ]
    labels = {(edge.target, edge.line, edge.label) for edge in drawn.edges}
    assert {
        ("t_match#0", Line.CANCEL, "expired"),
        ("t_ship#0", Line.CANCEL, "cancelled"),
        ("t_remind#0", Line.UNLESS, "unless"),
        ("t_refund#0", Line.AFTER, "cancelled"),
    } <= labels


@pytest.mark.parametrize(("file", "every"), [(CURATED, 1), (RANDOM, 9)])
def test_each_cause_of_recorded_histories_fired_the_trigger_that_it_names(file: str, every: int) -> None:
    seen = 0
    for history in histories(file, every):
        driver = EngineDriver()
        for step in history["steps"]:
            driver.apply({key: value for key, value in step.items() if key != "expect"})
        for uid in dict.fromkeys(uid for uid, _ in driver.log if uid):
            seen += check_causes(uid, [event for session, event in driver.log if session in {uid, ""}], history["id"])
    assert seen > 100


def finalizers(log: list[Event]) -> set[str]:
    """What the engine may have fired after an event of an application."""
    texts = [event.configuration for event in log if isinstance(event, ConfigurationUpdated | RulesPublished)]
    blocks = [json.loads(text).get("$session") or {} for text in texts]
    return {block["finalize"] for block in blocks if block.get("finalize")}


def check_causes(uid: str, log: list[Event], history: str) -> int:
    by_offset = {event.position: event for event in log}
    found = causes_of(uid, log)
    names = {one.name for one in found}
    for cause in (cause for one in found for cause in one.causes):
        event = by_offset[cause.event.offset]
        if cause.by is By.APPLICATION and cause.trigger is not None and isinstance(event, TriggerFired):
            assert cause.trigger in {event.trigger, *finalizers(log)}, history
        assert cause.instance is None or cause.instance in names, history
    for language in (mermaid, dot, svg):
        assert language(picture_of_session(found, uid))
    return sum(len(one.causes) for one in found)
