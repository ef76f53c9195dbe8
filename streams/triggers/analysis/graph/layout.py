"""Lays out the nodes and edges of a picture in columns, with few crossings and short edges (Sugiyama's method).

The layout is deterministic: the same picture is laid out in the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

_BETWEEN_COLUMNS = 70.0


_BETWEEN_ROWS = 14.0


_SWEEPS = 12


_PORTS = 8.0
"""The maximum distance between two edges on the same side of a node, in pixels."""


class Point(NamedTuple):
    """A point, in pixels from the upper left corner."""

    x: float
    y: float


class Size(NamedTuple):
    """A size in pixels."""

    width: float
    height: float


class Layout(NamedTuple):
    """The centres of the nodes, and the points through which each edge passes, alternately by a curve and a line."""

    centres: list[Point]
    routes: list[list[Point]]
    size: Size


def lay_out(sizes: Sequence[Size], edges: Sequence[tuple[int, int]]) -> Layout:
    """Returns the layout. Nodes are numbered like `sizes`. Routes lead from source to target; a loop's is empty."""
    columns = _Columns(sizes, edges)
    columns.sort()
    columns.assign_heights()
    return columns.layout(edges)


class _Columns:
    """Vertices in columns from left to right: nodes, and bends where an edge passes through a column."""

    def __init__(self, sizes: Sequence[Size], edges: Sequence[tuple[int, int]]) -> None:
        self._ranks = ranks_of(len(sizes), edges)
        self._sizes = list(sizes)
        self._before: list[list[int]] = [[] for _ in sizes]
        self._after: list[list[int]] = [[] for _ in sizes]
        self._chains = [self._chain(*edge) for edge in edges]
        self._columns: list[list[int]] = [[] for _ in range(max(self._ranks, default=-1) + 1)]
        for vertex, rank in enumerate(self._ranks):
            self._columns[rank].append(vertex)
        self._y = [0.0] * len(self._sizes)

    def _chain(self, source: int, target: int) -> list[int]:
        """Returns the edge's vertices from left to right. Creates the bends that it needs."""
        if source == target:
            return []
        left, right = sorted((source, target), key=self._ranks.__getitem__)
        bends = [self._bend(rank) for rank in range(self._ranks[left] + 1, self._ranks[right])]
        chain = [left, *bends, right]
        for one, other in pairwise(chain):
            self._after[one].append(other)
            self._before[other].append(one)
        return chain

    def _bend(self, rank: int) -> int:
        self._ranks.append(rank)
        self._sizes.append(Size(0, 0))
        self._before.append([])
        self._after.append([])
        return len(self._sizes) - 1

    def sort(self) -> None:
        """Sorts each column by the mean row of the vertices' neighbours, in several sweeps, so that few edges cross."""
        rows = {vertex: float(row) for column in self._columns for row, vertex in enumerate(column)}
        for column, neighbours in self._sweeps():
            column.sort(key=_middle(neighbours, rows.__getitem__))
            rows.update((vertex, float(row)) for row, vertex in enumerate(column))

    def assign_heights(self) -> None:
        """Assigns heights as near to the neighbours' as the column has room."""
        for column, neighbours in self._sweeps():
            self._assign_column(column, list(map(_middle(neighbours, self._y.__getitem__), column)))
        top = min((y - size.height / 2 for y, size in zip(self._y, self._sizes, strict=True)), default=0)
        self._y = [y - top for y in self._y]

    def _sweeps(self) -> Iterator[tuple[list[int], list[list[int]]]]:
        for _ in range(_SWEEPS):
            yield from ((column, self._before) for column in self._columns)
            yield from ((column, self._after) for column in reversed(self._columns))

    def _assign_column(self, column: Sequence[int], wanted: Sequence[float]) -> None:
        """Minimizes the squared distances: overlapping vertices become a block at the mean of the wanted heights."""
        shifts = self._shifts(column)
        blocks: list[tuple[float, int]] = []
        for want, shift in zip(wanted, shifts, strict=True):
            block = (want - shift, 1)
            while blocks and blocks[-1][0] >= block[0]:
                block = _joined(blocks.pop(), block)
            blocks.append(block)
        heights = [y for y, count in blocks for _ in range(count)]
        for vertex, y, shift in zip(column, heights, shifts, strict=True):
            self._y[vertex] = y + shift

    def _shifts(self, column: Sequence[int]) -> list[float]:
        """Returns the heights of the column's vertices if they are packed as closely as possible."""
        heights = [self._sizes[vertex].height for vertex in column]
        shifts = [0.0]
        for one, other in pairwise(heights):
            shifts.append(shifts[-1] + (one + other) / 2 + _BETWEEN_ROWS)
        return shifts[: len(column)]

    def layout(self, edges: Sequence[tuple[int, int]]) -> Layout:
        """Returns the finished layout. Call it last."""
        widths = [max(self._sizes[vertex].width for vertex in column) for column in self._columns]
        lefts = [sum(widths[:rank]) + rank * _BETWEEN_COLUMNS for rank in range(len(widths) + 1)]
        centres = [Point(lefts[r] + widths[r] / 2, y) for r, y in zip(self._ranks, self._y, strict=True)]
        routes = [list(self._route(edge, centres, widths)) for edge in range(len(edges))]
        for (source, _), chain, route in zip(edges, self._chains, routes, strict=True):
            if chain and chain[0] != source:
                route.reverse()
        height = max((y + size.height / 2 for (_, y), size in zip(centres, self._sizes, strict=True)), default=0)
        nodes = len(self._sizes) - sum(max(len(chain) - 2, 0) for chain in self._chains)
        return Layout(centres[:nodes], routes, Size(max(lefts[-1] - _BETWEEN_COLUMNS, 0), height))

    def _route(self, edge: int, centres: Sequence[Point], widths: Sequence[float]) -> Iterator[Point]:
        """Yields the points of an edge, from the right side of its left node to the left side of its right node."""
        chain = self._chains[edge]
        for here, vertex in enumerate(chain):
            x, y = centres[vertex]
            half = (widths[self._ranks[vertex]] if 0 < here < len(chain) - 1 else self._sizes[vertex].width) / 2
            if here > 0:
                yield Point(x - half, y + self._port(edge, here, chain[here - 1], self._before[vertex]))
            if here < len(chain) - 1:
                yield Point(x + half, y + self._port(edge, here, chain[here + 1], self._after[vertex]))

    def _port(self, edge: int, here: int, other: int, neighbours: list[int]) -> float:
        """Returns the edge's distance from the middle of the node's side, so that edges do not all end in one point."""
        if len(neighbours) == 1:
            return 0.0
        step = min(_PORTS, self._sizes[self._chains[edge][here]].height * 0.7 / len(neighbours))
        row = sorted(neighbours, key=self._y.__getitem__).index(other)
        return (row - (len(neighbours) - 1) / 2) * step


def _middle(neighbours: Sequence[Sequence[int]], position: Callable[[int], float]) -> Callable[[int], float]:
    """Returns a function that gives the mean position of a vertex's neighbours, or its own if it has none."""

    def middle(vertex: int) -> float:
        near = neighbours[vertex]
        return sum(map(position, near)) / len(near) if near else position(vertex)

    return middle


def _joined(one: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
    count = one[1] + other[1]
    return (one[0] * one[1] + other[0] * other[1]) / count, count


def ranks_of(nodes: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the column of each node, from 0. Only edges that close a cycle lead to a lower column."""
    targets: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in edges:
        targets[source].append(target)
    order = {node: number for number, node in enumerate(_order(targets))}
    ahead: list[set[int]] = [set() for _ in range(nodes)]
    for source, target in edges:
        first, last = sorted((source, target), key=order.__getitem__)
        if first != last:
            ahead[first].add(last)
    return _longest(list(order), ahead)


def _order(targets: Sequence[Sequence[int]]) -> list[int]:
    """Sorts nodes topologically, by a reversed depth-first search. Only edges that close a cycle lead back."""
    order, seen = list[int](), set[int]()
    for start in reversed(range(len(targets))):
        order += _finished(start, targets, seen)
    return order[::-1]


def _finished(start: int, targets: Sequence[Sequence[int]], seen: set[int]) -> Iterator[int]:
    """Yields the nodes that can be reached and were not seen, each after those to which it leads."""
    ahead = [(start, iter(targets[start]))] if start not in seen else []
    seen.add(start)
    while ahead:
        node, rest = ahead[-1]
        following = next((target for target in rest if target not in seen), None)
        if following is None:
            yield node
            ahead.pop()
        else:
            seen.add(following)
            ahead.append((following, iter(targets[following])))


def _longest(order: Sequence[int], ahead: Sequence[set[int]]) -> list[int]:
    """Puts each node right of all that lead to it, and a node without predecessors just left of its nearest target."""
    ranks, entered = [0] * len(order), set[int]()
    for node in order:
        for target in ahead[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
            entered.add(target)
    for node in order:
        if node not in entered and ahead[node]:
            ranks[node] = min(ranks[target] for target in ahead[node]) - 1
    return ranks
