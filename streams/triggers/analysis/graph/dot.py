"""Writes pictures in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape, colour, drawable

_SHAPES: Final = {
    Shape.TRIGGER: {"shape": "ellipse"},
    Shape.TASK: {"shape": "box"},
    Shape.OPERATOR: {"shape": "hexagon"},
    Shape.CONDITION: {"shape": "box", "style": "rounded", "color": "#666666"},
    Shape.TIMER: {"shape": "parallelogram"},
    Shape.SESSION: {"shape": "box", "peripheries": "2"},
}
_STOP: Final = {"color": "#b3261e", "fontcolor": "#b3261e", "arrowhead": "tee"}
_STYLES: Final = {
    Line.AFTER: {},
    Line.EVERY: {"style": "bold"},
    Line.UNLESS: {"style": "dashed"} | _STOP,
    Line.AGAIN: {"style": "dotted"},
    Line.CANCEL: _STOP,
    Line.FORWARD: {"arrowhead": "odot"},
}


def dot(picture: Picture) -> str:
    """Returns the picture in DOT, drawn from left to right."""
    return "\n".join(("digraph {", *(f"  {line}" for line in _lines(picture)), "}", ""))


def _lines(picture: Picture) -> Iterator[str]:
    title = drawable(picture.title)
    yield f"graph [{_attributes({'rankdir': 'LR', 'label': title, 'labelloc': 't', 'fontname': 'Helvetica'})}]"
    yield 'node [fontname="Helvetica" fontsize="11"]'
    yield 'edge [fontname="Helvetica" fontsize="9"]'
    for node in picture.nodes:
        yield _node(node)
    for edge in picture.edges:
        yield _edge(edge)


def _node(node: Node) -> str:
    look = {"label": "\n".join(map(drawable, node.lines))} | _SHAPES[node.shape]
    if node.status is not None:
        look |= {"style": "filled", "fillcolor": colour(node.status)}
    return f"{_quoted(node.id)} [{_attributes(look)}]"


def _edge(edge: Edge) -> str:
    look = {"label": drawable(edge.label)} | _STYLES[edge.line]
    return f"{_quoted(edge.source)} -> {_quoted(edge.target)} [{_attributes(look)}]"


def _attributes(values: dict[str, str]) -> str:
    return " ".join(f"{name}={_quoted(value)}" for name, value in values.items() if value)


def _quoted(text: str) -> str:
    """Returns a DOT string. Only line ends are escape sequences in it. NUL, which would end it, is written as \\0."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\\\\0") + '"'
