"""Writes pictures as SVG. They are laid out here, so Graphviz need not be installed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from triggers.analysis.graph.layout import Layout, Point, Size, lay_out
from triggers.analysis.graph.picture import Edge, Line, Node, Picture, Shape, colour, drawable

_FONT = 11
_CHARACTER = 6.4
_LINE = 14.0
_PADDING = 9.0
_MARGIN = 16.0
_TITLE = 28.0
_LOOP = 20.0
_MAX_TITLE = 80
"""Characters of the title that are drawn. A longer one would make the picture wider than what it shows."""
_LABEL: Final = 'class="edge" text-anchor="middle"'
_LOOKS: Final = {
    Line.AFTER: 'stroke="#444" marker-end="url(#arrow)"',
    Line.EVERY: 'stroke="#444" stroke-width="2.5" marker-end="url(#arrow)"',
    Line.UNLESS: 'stroke="#b3261e" stroke-dasharray="5 3" marker-end="url(#stop)"',
    Line.AGAIN: 'stroke="#444" stroke-dasharray="1 3" marker-end="url(#arrow)"',
    Line.CANCEL: 'stroke="#b3261e" marker-end="url(#stop)"',
    Line.FORWARD: 'stroke="#444" marker-end="url(#dot)"',
}
_RADII: Final = {Shape.TASK: 3.0, Shape.SESSION: 3.0, Shape.CONDITION: 9.0}
"""Radii of the corners; other nodes end in half circles."""
_WIDE: Final = frozenset({Shape.TRIGGER, Shape.OPERATOR, Shape.TIMER})
"""Nodes whose sides need room of their own."""
_HEAD = f"""<defs>
<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="#444"/></marker>
<marker id="stop" viewBox="0 0 4 12" refX="5" refY="6" markerWidth="4" markerHeight="12" \
markerUnits="userSpaceOnUse" orient="auto"><path d="M3 0V12" stroke="#b3261e" stroke-width="2"/></marker>
<marker id="dot" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
markerUnits="userSpaceOnUse" orient="auto"><circle cx="4" cy="4" r="3" fill="#fff" stroke="#444"/></marker>
</defs>
<style>text {{ font: {_FONT}px Helvetica, Arial, sans-serif }} .title {{ font-size: 14px; font-weight: bold }} \
.edge {{ font-size: 9px; paint-order: stroke; stroke: #fff; stroke-width: 3px }}</style>
<rect width="100%" height="100%" fill="#fff"/>"""


def svg(picture: Picture) -> str:
    """Returns the picture as a whole SVG document, drawn from left to right."""
    numbers = {node.id: number for number, node in enumerate(picture.nodes)}
    sizes = [_size(node) for node in picture.nodes]
    layout = lay_out(sizes, [(numbers[edge.source], numbers[edge.target]) for edge in picture.edges])
    title = picture.title if len(picture.title) <= _MAX_TITLE else picture.title[: _MAX_TITLE - 1] + "…"
    width = max(layout.size.width, _width(title) * 1.3) + 2 * _MARGIN
    height = layout.size.height + _TITLE + _LOOP + 2 * _MARGIN
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{_text(picture.title)}</title>",
        _HEAD,
        f'<text class="title" x="{_MARGIN:.0f}" y="{_MARGIN + _FONT:.0f}">{_text(title)}</text>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN + _TITLE + _LOOP:.0f})">',
        *_lines(picture, layout, sizes, numbers),
        "</g>\n</svg>\n",
    ))  # fmt: skip


def _lines(picture: Picture, layout: Layout, sizes: list[Size], numbers: dict[str, int]) -> Iterator[str]:
    for edge, route in zip(picture.edges, layout.routes, strict=True):
        number = numbers[edge.source]
        yield from _edge(edge, route, layout.centres[number], sizes[number])
    for node, centre, size in zip(picture.nodes, layout.centres, sizes, strict=True):
        yield from _node(node, centre, size)


def _size(node: Node) -> Size:
    room = 2 * _PADDING + (_PADDING if node.shape in _WIDE else 0)
    return Size(max(map(_width, node.lines)) + room, len(node.lines) * _LINE + _PADDING)


def _width(text: str) -> float:
    return sum(2 if east_asian_width(char) in "FW" else 1 for char in text) * _CHARACTER


def _node(node: Node, centre: Point, size: Size) -> Iterator[str]:
    fill = colour(node.status) if node.status is not None else "#f5f5f5" if node.shape is Shape.CONDITION else "#fff"
    yield f'{_outline(node.shape, centre, size)} fill="{fill}" stroke="#555"/>'
    if node.shape is Shape.SESSION:
        inner = Size(size.width - 6, size.height - 6)
        yield f'{_outline(node.shape, centre, inner)} fill="none" stroke="#555"/>'
    first = centre.y - (len(node.lines) - 1) * _LINE / 2 + _FONT * 0.35
    for row, line in enumerate(node.lines):
        yield f'<text text-anchor="middle" x="{centre.x:.1f}" y="{first + row * _LINE:.1f}">{_text(line)}</text>'


def _outline(shape: Shape, centre: Point, size: Size) -> str:
    x, y = centre.x - size.width / 2, centre.y - size.height / 2
    right, bottom = x + size.width, y + size.height
    if shape is Shape.OPERATOR:
        corners = [(x, centre.y), (x + _PADDING, y), (right - _PADDING, y), (right, centre.y)]
        return _polygon([*corners, (right - _PADDING, bottom), (x + _PADDING, bottom)])
    if shape is Shape.TIMER:
        return _polygon([(x + _PADDING, y), (right, y), (right - _PADDING, bottom), (x, bottom)])
    radius = _RADII.get(shape, size.height / 2)
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{size.width:.1f}" height="{size.height:.1f}" rx="{radius:.1f}"'


def _polygon(corners: list[tuple[float, float]]) -> str:
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"'


def _edge(edge: Edge, route: list[Point], centre: Point, size: Size) -> Iterator[str]:
    path = _path(route) if route else _loop(centre, size)
    yield f'<path d="{path}" fill="none" {_LOOKS[edge.line]}/>'
    if edge.label:
        x, y = _label_position(route) if route else Point(centre.x, centre.y - size.height / 2 - _LOOP * 0.8)
        yield f'<text {_LABEL} x="{x:.1f}" y="{y:.1f}">{_text(edge.label)}</text>'


def _path(route: list[Point]) -> str:
    """Returns a path with curves between columns and straight lines through them."""
    parts = [f"M{route[0].x:.1f} {route[0].y:.1f}"]
    for number, (one, other) in enumerate(pairwise(route)):
        middle = (one.x + other.x) / 2
        curve = f"C{middle:.1f} {one.y:.1f} {middle:.1f} {other.y:.1f} " if number % 2 == 0 else "L"
        parts.append(f"{curve}{other.x:.1f} {other.y:.1f}")
    return "".join(parts)


def _loop(centre: Point, size: Size) -> str:
    top, out = centre.y - size.height / 2, size.width / 4
    left, right, high = centre.x - out, centre.x + out, top - _LOOP
    return f"M{right:.1f} {top:.1f}C{right:.1f} {high:.1f} {left:.1f} {high:.1f} {left:.1f} {top:.1f}"


def _label_position(route: list[Point]) -> Point:
    """Returns the middle of the last curve, which is near the edge's target."""
    one, other = route[-2:]
    return Point((one.x + other.x) / 2, (one.y + other.y) / 2 + 3)


def _text(text: str) -> str:
    """Escapes text for XML."""
    return escape(drawable(text))
