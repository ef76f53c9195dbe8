"""Explores all orders in which events can arrive, by merging equal worlds, or a sample of the orders.

Two orders that lead to the same world have the same future. So each world is explored once and counted as often as
orders lead to it: no order is left out, and the counts are exact. If there are too many worlds, single orders are
walked instead. A hash of their numbers chooses them, so that the same call gives the same report.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from hashlib import blake2b
from itertools import accumulate
from typing import Final, Protocol

from msgspec import Struct

from triggers.analysis.check.worlds import FiredMove, LaterMove, Move, World

Order = tuple[Move, ...]


class WorldGraph(Protocol):
    """The worlds of some rules and some events, of either edition. `after` raises EndlessCascade, as may `moves`."""

    def first(self) -> World:
        """Returns the world in which no event has come yet."""

    def moves(self, world: World) -> list[tuple[Move, int]]:
        """Returns the possible next moves, each with its number of events."""

    def after(self, world: World, move: Move) -> World:
        """Returns the world after one of its moves."""


OutcomeOf = Callable[[World], Hashable]
_DIGEST_BYTES: Final = 8


class Reached(Struct):
    """A world to which orders lead."""

    world: World
    orders: int
    """The number of explored orders with the same outcome."""
    example: Order


class Exploration(Struct):
    """The result of exploring orders."""

    exhaustive: bool
    """False if only a sample was walked; `orders` is then the number of different orders in it."""
    orders: int
    worlds: int
    """The number of different worlds that were visited."""
    outcomes: dict[Hashable, Reached]
    witnesses: tuple[Reached, Reached] | None
    """Two orders of the same events with different outcomes, or None if none were found."""


class MovePath(Struct):
    """The moves that lead to a world, as a linked list from the last move back."""

    before: MovePath | None
    move: Move

    def order(self) -> Order:
        """Returns the moves, first to last."""
        moves, path = [self.move], self.before
        while path is not None:
            moves.append(path.move)
            path = path.before
        return tuple(reversed(moves))


class _Node(Struct):
    world: World
    orders: int
    path: MovePath | None

    def reached(self) -> Reached:
        return Reached(self.world, self.orders, self.path.order() if self.path else ())


class AllOrders:
    """Explores every order, unless there are too many worlds."""

    def __init__(self, worlds: WorldGraph, outcome: OutcomeOf) -> None:
        self._worlds = worlds
        self._outcome = outcome
        self._seen = 0
        self._outcomes: dict[Hashable, Reached] = {}
        self._by_events: dict[Hashable, tuple[Hashable, _Node]] = {}
        self._witnesses: tuple[Reached, Reached] | None = None

    def explore(self, max_worlds: int) -> Exploration | None:
        """Returns None if there are more than `max_worlds` worlds. Raises EndlessCascade."""
        level = [_Node(self._worlds.first(), 1, None)]
        while level:
            self._visit(level)
            self._seen += len(level)
            if self._seen > max_worlds:
                return None
            level = self._next(level)
        orders = sum(reached.orders for reached in self._outcomes.values())
        return Exploration(True, orders, self._seen, self._outcomes, self._witnesses)

    def _next(self, level: Iterable[_Node]) -> list[_Node]:
        nodes: dict[object, _Node] = {}
        for node in level:
            for move, _ in self._worlds.moves(node.world):
                world = self._worlds.after(node.world, move)
                known = nodes.setdefault(world.key, _Node(world, 0, MovePath(node.path, move)))
                known.orders += node.orders
        return list(nodes.values())

    def _visit(self, level: Iterable[_Node]) -> None:
        for node in level:
            if node.world.quiet:
                outcome = self._outcome(node.world)
                if node.world.ended:
                    self._end(outcome, node)
                first, other = self._by_events.setdefault(_compared_by(node.world), (outcome, node))
                if first != outcome and self._has_fewer_events(node.world):
                    self._witnesses = other.reached(), node.reached()

    def _has_fewer_events(self, world: World) -> bool:
        """Returns whether fewer events lead to the world than to the witnesses so far.

        Events are compared, not moves: results are moves too, so orders of the same events can differ in length.
        """
        return self._witnesses is None or sum(world.left) > sum(self._witnesses[0].world.left)

    def _end(self, outcome: Hashable, node: _Node) -> None:
        known = self._outcomes.setdefault(outcome, Reached(node.world, 0, node.reached().example))
        known.orders += node.orders


class SampledOrders:
    """Explores some orders: each kind of event last once and first once, then orders that a hash chooses."""

    def __init__(self, worlds: WorldGraph, outcome: OutcomeOf) -> None:
        self._worlds = worlds
        self._outcome = outcome
        self._met: set[int] = set()

    def explore(self, walks: int) -> Exploration:
        """Walks this many orders. Raises EndlessCascade."""
        ends: dict[Order, World] = {}
        for chooser in self._choosers(walks):
            order, world = self._walk(chooser)
            ends.setdefault(order, world)
        outcomes: dict[Hashable, Reached] = {}
        compared: dict[Hashable, dict[Hashable, Reached]] = {}
        for order, world in ends.items():
            outcome = self._outcome(world)
            outcomes.setdefault(outcome, Reached(world, 0, order)).orders += 1
            compared.setdefault(_compared_by(world), {}).setdefault(outcome, Reached(world, 1, order))
        differing = next((found for found in compared.values() if len(found) > 1), {})
        return Exploration(False, len(ends), len(self._met), outcomes, self._witnesses(differing.values()))

    def _choosers(self, walks: int) -> Iterator[_Chooser]:
        kinds = [move for move, _ in self._worlds.moves(self._worlds.first())]
        special = [_Chooser(0, last=kind) for kind in kinds] + [_Chooser(0, first=kind) for kind in kinds]
        yield from special[:walks]
        yield from (_Chooser(number) for number in range(1, 1 + walks - len(special)))

    def _walk(self, chooser: _Chooser) -> tuple[Order, World]:
        world = self._worlds.first()
        order: list[Move] = []
        while moves := self._worlds.moves(world):
            move = chooser.choose(moves, len(order))
            world = self._worlds.after(world, move)
            self._met.add(hash(world.key))
            order.append(move)
        return tuple(order), world

    def _witnesses(self, outcomes: Collection[Reached]) -> tuple[Reached, Reached] | None:
        if len(outcomes) < 2:
            return None
        one, other, *_ = outcomes
        return self._shortened(one, other)

    def _shortened(self, one: Reached, other: Reached) -> tuple[Reached, Reached]:
        """Removes events from both orders, one at a time, for as long as the outcomes still differ."""
        at = 0
        while at < len(one.example):
            shorter = self._without(one.example[at], one, other)
            if shorter is None:
                at += 1
            else:
                one, other = shorter
        return one, other

    def _without(self, move: Move, one: Reached, other: Reached) -> tuple[Reached, Reached] | None:
        if not isinstance(move, FiredMove | LaterMove):
            return None
        pair = self._follow(_less(one.example, move)), self._follow(_less(other.example, move))
        if pair[0] is None or pair[1] is None:
            return None
        worlds = pair[0].world, pair[1].world
        if self._outcome(worlds[0]) == self._outcome(worlds[1]) or _compared_by(worlds[0]) != _compared_by(worlds[1]):
            return None
        return pair[0], pair[1]

    def _follow(self, order: Order) -> Reached | None:
        """Walks the order. Returns None if that is impossible: a result has no run, or is left at the end."""
        world = self._worlds.first()
        for move in order:
            if move not in dict(self._worlds.moves(world)):
                return None
            world = self._worlds.after(world, move)
        return Reached(world, 1, order) if world.quiet else None


class _Chooser(Struct, frozen=True):
    """Chooses the moves of one walk, by a hash of its fields."""

    number: int
    last: Move | None = None
    first: Move | None = None

    def choose(self, moves: list[tuple[Move, int]], step: int) -> Move:
        """Returns the next move; each remaining event is equally likely."""
        if step == 0 and self.first is not None:
            return self.first
        among = [(move, count) for move, count in moves if move != self.last] or moves
        ends = list(accumulate(count for _, count in among))
        digest = blake2b(f"{self.number}/{self.last}/{self.first}/{step}".encode(), digest_size=_DIGEST_BYTES).digest()
        chosen = int.from_bytes(digest, "big") % ends[-1]
        return next(move for (move, _), end in zip(among, ends, strict=True) if chosen < end)


def _compared_by(world: World) -> Hashable:
    """Returns what must be equal in two orders so that a difference shows that the order matters."""
    return world.left, world.failures, world.deleted


def _less(order: Order, move: FiredMove | LaterMove) -> Order:
    """Returns the order without one event of that kind, whenever it came."""
    kind = _kind_of(move)
    at = next(number for number, one in enumerate(order) if _kind_of(one) == kind)
    return order[:at] + order[at + 1 :]


def _kind_of(move: Move) -> Move:
    return move.fired if isinstance(move, LaterMove) else move
