"""Where the nodes and edges of a picture go: in columns, with few crossings and short edges (after Sugiyama).

The same picture is laid out the same everywhere: nothing here is decided by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from triggers.analysis.graph.ranks import ranks_of

_BETWEEN_COLUMNS = 70.0
_BETWEEN_ROWS = 14.0
_SWEEPS = 12
_PORTS = 8.0
"""Between two edges at the same side of a node, at most."""


class Point(NamedTuple):
    """Pixels from the upper left corner."""

    x: float
    y: float


class Size(NamedTuple):
    """Pixels."""

    width: float
    height: float


class Layout(NamedTuple):
    """Centres of the nodes; for each edge the points that it passes, a curve and a straight line by turns."""

    centres: list[Point]
    routes: list[list[Point]]
    size: Size


def lay_out(sizes: Sequence[Size], edges: Sequence[tuple[int, int]]) -> Layout:
    """Nodes are numbered as their sizes; a route leads from source to target, a loop's is empty."""
    columns = _Columns(sizes, edges)
    columns.sort()
    columns.settle()
    return columns.layout(edges)


class _Columns:
    """Nodes, and bends where an edge passes a column, in columns from left to right."""

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
        """The edge's vertices from left to right, bends made where it needs them."""
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
        """Each vertex near the middle of its neighbours, to and fro, until few edges cross."""
        place = {vertex: float(row) for column in self._columns for row, vertex in enumerate(column)}
        for column, neighbours in self._sweeps():
            column.sort(key=_middle(neighbours, place.__getitem__))
            place.update((vertex, float(row)) for row, vertex in enumerate(column))

    def settle(self) -> None:
        """Heights: as near to the neighbours' as the column leaves room."""
        for column, neighbours in self._sweeps():
            self._settle(column, list(map(_middle(neighbours, self._y.__getitem__), column)))
        top = min((y - size.height / 2 for y, size in zip(self._y, self._sizes, strict=True)), default=0)
        self._y = [y - top for y in self._y]

    def _sweeps(self) -> Iterator[tuple[list[int], list[list[int]]]]:
        for _ in range(_SWEEPS):
            yield from ((column, self._before) for column in self._columns)
            yield from ((column, self._after) for column in reversed(self._columns))

    def _settle(self, column: Sequence[int], wanted: Sequence[float]) -> None:
        """Least squares: what would overlap moves as one block to the middle of what it wants."""
        shifts = self._shifts(column)
        blocks: list[tuple[float, int]] = []
        for want, shift in zip(wanted, shifts, strict=True):
            block = (want - shift, 1)
            while blocks and blocks[-1][0] >= block[0]:
                block = _joined(blocks.pop(), block)
            blocks.append(block)
        settled = [y for y, count in blocks for _ in range(count)]
        for vertex, y, shift in zip(column, settled, shifts, strict=True):
            self._y[vertex] = y + shift

    def _shifts(self, column: Sequence[int]) -> list[float]:
        """Heights of the column's vertices if they stood as closely as they may."""
        heights = [self._sizes[vertex].height for vertex in column]
        shifts = [0.0]
        for one, other in pairwise(heights):
            shifts.append(shifts[-1] + (one + other) / 2 + _BETWEEN_ROWS)
        return shifts[: len(column)]

    def layout(self, edges: Sequence[tuple[int, int]]) -> Layout:
        """What came of it."""
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
        """From the right side of the left node to the left side of the right one."""
        chain = self._chains[edge]
        for here, vertex in enumerate(chain):
            x, y = centres[vertex]
            half = (widths[self._ranks[vertex]] if 0 < here < len(chain) - 1 else self._sizes[vertex].width) / 2
            if here > 0:
                yield Point(x - half, y + self._port(edge, here, chain[here - 1], self._before[vertex]))
            if here < len(chain) - 1:
                yield Point(x + half, y + self._port(edge, here, chain[here + 1], self._after[vertex]))

    def _port(self, edge: int, here: int, other: int, neighbours: list[int]) -> float:
        """How far from the middle of the side: edges of a node do not end in one point."""
        if len(neighbours) == 1:
            return 0.0
        step = min(_PORTS, self._sizes[self._chains[edge][here]].height * 0.7 / len(neighbours))
        row = sorted(neighbours, key=self._y.__getitem__).index(other)
        return (row - (len(neighbours) - 1) / 2) * step


def _middle(neighbours: Sequence[Sequence[int]], place: Callable[[int], float]) -> Callable[[int], float]:
    """The mean place of a vertex's neighbours; its own where there are none."""

    def middle(vertex: int) -> float:
        near = neighbours[vertex]
        return sum(map(place, near)) / len(near) if near else place(vertex)

    return middle


def _joined(one: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
    count = one[1] + other[1]
    return (one[0] * one[1] + other[0] * other[1]) / count, count
