"""Writes pictures in Mermaid, which code hosts and wikis draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape, colour, drawable

MAX_EDGES: Final = 500
"""Mermaid's default for `maxEdges`; it does not draw a picture with more edges."""

_BRACKETS: Final = {
    Shape.TRIGGER: ("([", "])"),
    Shape.TASK: ("[", "]"),
    Shape.OPERATOR: ("{{", "}}"),
    Shape.CONDITION: ("(", ")"),
    Shape.TIMER: ("[/", "/]"),
    Shape.SESSION: ("[[", "]]"),
}
_ARROWS: Final = {
    Line.AFTER: "-->",
    Line.EVERY: "==>",
    Line.UNLESS: "-.-x",
    Line.AGAIN: "-.->",
    Line.CANCEL: "--x",
    Line.FORWARD: "--o",
}
_ENTITIES: Final = {ord(char): f"#{ord(char)};" for char in '"#&<>`\\|'}


def mermaid(picture: Picture) -> str:
    """Returns the picture in Mermaid, drawn from left to right."""
    return "\n".join((*_lines(picture), ""))


def _lines(picture: Picture) -> Iterator[str]:
    ids = {node.id: f"n{number}" for number, node in enumerate(picture.nodes)}
    yield "flowchart LR"
    yield f"  accTitle: {_plain(picture.title)}"
    for node in picture.nodes:
        yield f"  {ids[node.id]}{_node(node)}"
    for edge in picture.edges:
        yield f"  {ids[edge.source]} {_arrow(edge)} {ids[edge.target]}"
    for number, status in enumerate(dict.fromkeys(node.status for node in picture.nodes if node.status is not None)):
        drawn = ",".join(ids[node.id] for node in picture.nodes if node.status == status)
        yield f"  classDef s{number} fill:{colour(status)},stroke:#555,color:#000"
        yield f"  class {drawn} s{number}"


def _node(node: Node) -> str:
    start, end = _BRACKETS[node.shape]
    return f'{start}"{"<br/>".join(map(_text, node.lines))}"{end}'


def _arrow(edge: Edge) -> str:
    return f'{_ARROWS[edge.line]}|"{_text(edge.label)}"|' if edge.label else _ARROWS[edge.line]


def _text(text: str) -> str:
    """Escapes text so that Mermaid shows it literally, on one line."""
    return " ".join(drawable(text).split()).translate(_ENTITIES)


def _plain(text: str) -> str:
    """Removes the characters that would end the title before the end of its line."""
    return " ".join(drawable(text).translate({ord(char): " " for char in ";{}"}).split())
