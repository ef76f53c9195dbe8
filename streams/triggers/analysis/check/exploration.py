"""All orders in which events can arrive, explored by merging worlds that are equal; or a sample of them.

Two orders that lead to the same world have the same future, so each world is explored once and counted as often as
orders lead to it: nothing is left out and the counts are exact. Where there are too many worlds, single orders are
walked; which ones follows from their numbers, so that the same call gives the same report.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from hashlib import blake2b
from itertools import accumulate
from typing import Final

from msgspec import Struct

from triggers.analysis.check.worlds import Fired, Move, World, Worlds

Order = tuple[Move, ...]
OutcomeOf = Callable[[World], Hashable]
_DIGEST_BYTES: Final = 8


class Reached(Struct):
    """A world at the end of orders."""

    world: World
    orders: int
    """How many of the orders that were explored have the same outcome."""
    example: Order


class Exploration(Struct):
    """What became of the orders."""

    exhaustive: bool
    """False: `orders` is how many different ones were walked."""
    orders: int
    worlds: int
    """Different ones that were met."""
    outcomes: dict[Hashable, Reached]
    witnesses: tuple[Reached, Reached] | None
    """Two orders of the same events with different outcomes; None: none were found."""


class Path(Struct):
    """The way to a world."""

    before: Path | None
    move: Move

    def order(self) -> Order:
        """Its moves."""
        moves, path = [self.move], self.before
        while path is not None:
            moves.append(path.move)
            path = path.before
        return tuple(reversed(moves))


class _Node(Struct):
    world: World
    orders: int
    path: Path | None

    def reached(self) -> Reached:
        return Reached(self.world, self.orders, self.path.order() if self.path else ())


class All:
    """Every order, as long as there are not too many worlds."""

    def __init__(self, worlds: Worlds, outcome: OutcomeOf) -> None:
        self._worlds = worlds
        self._outcome = outcome
        self._seen = 0
        self._outcomes: dict[Hashable, Reached] = {}
        self._by_events: dict[tuple[int, ...], tuple[Hashable, _Node]] = {}
        self._witnesses: tuple[Reached, Reached] | None = None

    def explore(self, most: int) -> Exploration | None:
        """None: there are more than `most` worlds. Raises EndlessCascade."""
        level = [_Node(self._worlds.first(), 1, None)]
        while level:
            self._look(level)
            self._seen += len(level)
            if self._seen > most:
                return None
            level = self._next(level)
        orders = sum(reached.orders for reached in self._outcomes.values())
        return Exploration(True, orders, self._seen, self._outcomes, self._witnesses)

    def _next(self, level: Iterable[_Node]) -> list[_Node]:
        found: dict[object, _Node] = {}
        for node in level:
            for move, _ in self._worlds.moves(node.world):
                world = self._worlds.after(node.world, move)
                known = found.setdefault(world.key, _Node(world, 0, Path(node.path, move)))
                known.orders += node.orders
        return list(found.values())

    def _look(self, level: Iterable[_Node]) -> None:
        for node in level:
            if node.world.quiet:
                outcome = self._outcome(node.world)
                if not any(node.world.left):
                    self._end(outcome, node)
                first, other = self._by_events.setdefault(node.world.left, (outcome, node))
                if first != outcome and self._has_fewer_events(node.world):
                    self._witnesses = other.reached(), node.reached()

    def _has_fewer_events(self, world: World) -> bool:
        """Than the witnesses so far. Orders of the same events differ in length, for results are moves too."""
        return self._witnesses is None or sum(world.left) > sum(self._witnesses[0].world.left)

    def _end(self, outcome: Hashable, node: _Node) -> None:
        known = self._outcomes.setdefault(outcome, Reached(node.world, 0, node.reached().example))
        known.orders += node.orders


class Sample:
    """Some orders: each kind of event once last and once first, then ones that a hash of their number chooses."""

    def __init__(self, worlds: Worlds, outcome: OutcomeOf) -> None:
        self._worlds = worlds
        self._outcome = outcome
        self._met: set[int] = set()

    def explore(self, walks: int) -> Exploration:
        """Walk so many orders. Raises EndlessCascade."""
        ends: dict[Order, World] = {}
        for chooser in self._choosers(walks):
            order, world = self._walk(chooser)
            ends.setdefault(order, world)
        outcomes: dict[Hashable, Reached] = {}
        for order, world in ends.items():
            outcomes.setdefault(self._outcome(world), Reached(world, 0, order)).orders += 1
        return Exploration(False, len(ends), len(self._met), outcomes, self._witnesses(outcomes.values()))

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
        """Both without the events that make no difference to their difference, as far as one at a time goes."""
        at = 0
        while at < len(one.example):
            shorter = self._without(one.example[at], one, other)
            if shorter is None:
                at += 1
            else:
                one, other = shorter
        return one, other

    def _without(self, move: Move, one: Reached, other: Reached) -> tuple[Reached, Reached] | None:
        if not isinstance(move, Fired):
            return None
        pair = self._follow(_less(one.example, move)), self._follow(_less(other.example, move))
        if pair[0] is None or pair[1] is None:
            return None
        return None if self._outcome(pair[0].world) == self._outcome(pair[1].world) else (pair[0], pair[1])

    def _follow(self, order: Order) -> Reached | None:
        """The order walked; None: it cannot be, a result has nothing to come from or one is left."""
        world = self._worlds.first()
        for move in order:
            if move not in dict(self._worlds.moves(world)):
                return None
            world = self._worlds.after(world, move)
        return Reached(world, 1, order) if world.quiet else None


class _Chooser(Struct, frozen=True):
    """Chooses the moves of one walk."""

    number: int
    last: Move | None = None
    first: Move | None = None

    def choose(self, moves: list[tuple[Move, int]], step: int) -> Move:
        """Every event that is still to come is as likely as the next."""
        if step == 0 and self.first is not None:
            return self.first
        among = [(move, count) for move, count in moves if move != self.last] or moves
        ends = list(accumulate(count for _, count in among))
        digest = blake2b(f"{self.number}/{self.last}/{self.first}/{step}".encode(), digest_size=_DIGEST_BYTES).digest()
        chosen = int.from_bytes(digest, "big") % ends[-1]
        return next(move for (move, _), end in zip(among, ends, strict=True) if chosen < end)


def _less(order: Order, move: Move) -> Order:
    at = order.index(move)
    return order[:at] + order[at + 1 :]
