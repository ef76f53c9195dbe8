"""Pictures of rules and sessions, in three formats."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.memory_session import Json, MemorySession

from triggers.analysis.graph.causes import causes_of, picture_of_session
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.layout import Layout, Point, Size, lay_out
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape
from triggers.analysis.graph.rules import picture_of_rules
from triggers.analysis.graph.svg import svg
from triggers.core.config import compile_plan
from triggers.core.events import ReplayRequested, TaskFailed, TaskFinished

RULES: Json = {
    "t_import": {"after": ["page", "complete"], "andEvery": "page", "run": "app.import", "unless": ["embedded"]},
    "t_report": {"after": ["t_import"], "run": "app.report"},
}
HOSTILE = 'a "b" <c>&#\\n`|;{}]\n\x00\ud800 ü漢'


def of_rules(rules: Json = RULES) -> Picture:
    return picture_of_rules(compile_plan(json.dumps(rules).encode()), "rules")


def of_session() -> Picture:
    session = MemorySession(RULES)
    session.fire("page")
    session.fire("complete")
    session.apply(TaskFailed(instance="t_import#0", attempt=1, exception_type="app.Broken"))
    session.apply(ReplayRequested(instance="t_import#0"))
    session.apply(TaskFinished(instance="t_import#1", attempt=1))
    return picture_of_session(causes_of(session.uid, session.log), session.uid)


def hostile() -> Picture:
    nodes = tuple(Node(id=f"{n} {HOSTILE}", shape=shape, lines=(HOSTILE, "x")) for n, shape in enumerate(Shape))
    edge = Edge(source=nodes[0].id, target=nodes[1].id, line=Line.AFTER, label=HOSTILE)
    return Picture(title=HOSTILE, nodes=nodes, edges=(edge,))


def test_rules_in_mermaid() -> None:
    assert (
        mermaid(of_rules())
        == """\
flowchart LR
  accTitle: rules
  n0(["complete"])
  n1(["page"])
  n2(["embedded"])
  n3["t_import<br/>app.import"]
  n4["t_report<br/>app.report"]
  n0 --> n3
  n1 ==>|"every"| n3
  n2 -.-x|"unless"| n3
  n3 --> n4
"""
    )


def test_rules_in_dot() -> None:
    drawn = dot(of_rules())

    assert '  "task t_import" [label="t_import\\napp.import" shape="box"]\n' in drawn
    assert '  "trigger page" -> "task t_import" [label="every" style="bold"]\n' in drawn
    assert '  "task t_import" -> "task t_report" []\n' in drawn


def test_a_session_is_drawn_from_events_and_operators_through_results_to_instances() -> None:
    picture = of_session()

    assert [(node.id, node.shape, node.status) for node in picture.nodes] == [
        ("event 2", Shape.TRIGGER, None),
        ("event 3", Shape.TRIGGER, None),
        ("event 5", Shape.OPERATOR, None),
        ("t_import#0", Shape.TASK, "replayed"),
        ("t_import#1", Shape.TASK, "finished"),
        ("t_report#0", Shape.TASK, "scheduled"),
    ]
    assert [(edge.source, edge.target, edge.line) for edge in picture.edges] == [
        ("event 2", "t_import#0", Line.AFTER),
        ("event 3", "t_import#0", Line.AFTER),
        ("t_import#0", "t_import#1", Line.AGAIN),
        ("event 5", "t_import#1", Line.AFTER),
        ("t_import#1", "t_report#0", Line.AFTER),
    ]


def test_names_are_shown_literally_in_every_format() -> None:
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', dot(hostile()))
    page = ET.fromstring(svg(hostile()))  # noqa: S314  # it is ours
    texts = [text for element in page.iter() if (text := element.text) and "漢" in text]

    assert any(text.startswith('a \\"b\\" <c>&#\\\\n`|;{}] ') for text in quoted)
    assert texts
    assert all(text.startswith('a "b" <c>&#\\n`|;{}]') for text in texts)
    assert 'n0(["a #34;b#34; #60;c#62;#38;#35;#92;n#96;#124;;{}]' in mermaid(hostile())
    assert len(mermaid(hostile()).splitlines()) == 2 + len(Shape) + 1


def test_an_svg_shows_every_node_every_edge_and_every_status() -> None:
    page = ET.fromstring(svg(of_session()))  # noqa: S314  # it is ours
    drawn = page.find("{http://www.w3.org/2000/svg}g")

    assert drawn is not None
    assert len(drawn.findall("{*}path")) == 5
    assert len(drawn.findall("{*}rect")) == 5
    assert len(drawn.findall("{*}polygon")) == 1
    assert {"#f3e6d0", "#d5f0d5", "#fff3c4"} <= {element.get("fill") for element in drawn.findall("{*}rect")}


@pytest.mark.parametrize("rules", [{}, {"t_a": {"after": ["t_a"], "run": "r"}}])
def test_a_picture_of_nothing_and_of_a_loop_can_be_drawn(rules: Json) -> None:
    for language in (dot, mermaid, svg):
        assert language(of_rules(rules)) == language(of_rules(rules))


SIZES = st.lists(st.builds(Size, st.sampled_from([40.0, 90.0]), st.sampled_from([20.0, 35.0])), max_size=12)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[tuple[int, int]]]:
    sizes = draw(SIZES)
    node = st.integers(0, len(sizes) - 1)
    return sizes, draw(st.lists(st.tuples(node, node), max_size=20)) if sizes else []


def test_a_long_title_does_not_widen_the_picture() -> None:
    picture = Picture(title="u" * 500, nodes=(Node(id="a", shape=Shape.TASK, lines=("a",)),), edges=())

    drawn = ET.fromstring(svg(picture))  # noqa: S314  # it is ours

    texts = [element.text or "" for element in drawn.iter() if element.tag.endswith("text")]
    assert texts[0] == "u" * 79 + "…"
    assert int(drawn.attrib["width"]) < 800
    assert drawn[0].text == "u" * 500, "the name for screen readers is complete"


@given(graphs())
def test_nodes_do_not_overlap_and_routes_join_their_sides(graph: tuple[list[Size], list[tuple[int, int]]]) -> None:
    sizes, edges = graph

    found = lay_out(sizes, edges)

    boxes = sorted(zip(found.centres, sizes, strict=True), key=lambda box: (box[0].x, box[0].y))
    for (one, size), (other, other_size) in pairwise(boxes):
        assert one.x < other.x or other.y - one.y >= (size.height + other_size.height) / 2
    for (source, target), route in zip(edges, found.routes, strict=True):
        if source == target:
            assert route == []
        else:
            assert_joins(found, sizes, (source, target), route)
    assert all(0 <= point.x <= found.size.width for route in found.routes for point in route)


def assert_joins(found: Layout, sizes: list[Size], edge: tuple[int, int], route: list[Point]) -> None:
    for (x, y), node in zip((route[0], route[-1]), edge, strict=True):
        assert abs(abs(x - found.centres[node].x) - sizes[node].width / 2) < 0.01
        assert abs(y - found.centres[node].y) <= sizes[node].height / 2


@given(graphs())
def test_without_cycles_every_edge_leads_to_the_right(graph: tuple[list[Size], list[tuple[int, int]]]) -> None:
    sizes, edges = graph
    forward = [(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]]

    found = lay_out(sizes, forward)

    assert all(found.centres[source].x < found.centres[target].x for source, target in forward)
    assert all(one.x <= other.x for route in found.routes for one, other in pairwise(route))


def test_a_node_is_in_its_first_possible_column_and_a_source_next_to_its_nearest_target() -> None:
    edges = [(0, 3), (1, 3), (3, 4), (0, 4), (2, 4), (4, 5), (1, 5)]

    found = lay_out([Size(50, 20)] * 6, edges)

    assert [centre.x for centre in found.centres] == [25, 25, 145, 145, 265, 385]
