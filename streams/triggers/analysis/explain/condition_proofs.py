"""Explains the condition of one instance of edition 2: what is true, what is missing, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from triggers.analysis.explain.explanation import ConditionProof, EventRef, MissingCause
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.tree import Combinator, Kind, Leaf, Node
from triggers.core.contribution import Contribution

_MAX_EVENTS = 10

RefOf = Callable[[int], EventRef | None]
"""Returns the event behind a fire, by the number of the fire."""
CausesOf = Callable[[str], list[MissingCause]]
"""Returns what has to happen before a trigger fires."""


class ConditionProver:
    """Explains conditions of one instance. The engine's view of the instance answers every question."""

    def __init__(self, view: ConditionView, ref_of: RefOf, causes_of: CausesOf) -> None:
        self._view = view
        self._ref_of = ref_of
        self._causes_of = causes_of

    def prove(self, node: Node) -> ConditionProof:
        """Explains a condition and everything below it."""
        return self._leaf(node) if isinstance(node, Leaf) else self._combinator(node)

    def _combinator(self, node: Combinator) -> ConditionProof:
        is_true = self._view.is_true(node)
        return ConditionProof(
            kind=node.kind,
            is_true=is_true,
            have=sum(self._view.is_true(child) for child in node.children),
            need={Kind.ANY: 1, Kind.AT_LEAST: node.need}.get(node.kind, len(node.children)),
            children=[self.prove(child) for child in node.children],
            within=node.within,
            until=None if is_true or not node.within else self._until(node),
        )

    def _until(self, node: Combinator) -> int | None:
        """Returns the clock after which the oldest contribution is dropped by the next event that a leaf accepts."""
        clocks = [held.clock for leaf in node.leaves() for held in self._view.contributions(leaf)]
        return min(clocks) + node.within if clocks else None

    def _leaf(self, leaf: Leaf) -> ConditionProof:
        view = self._view
        before = len(view.evaluator.failures)
        is_true, held, need = view.is_true(leaf), view.contributions(leaf), view.count(leaf)
        failures = dict.fromkeys(f"{text}: {why}" for text, why in view.evaluator.failures[before:])
        return ConditionProof(
            kind="leaf",
            is_true=is_true,
            have=len(held),
            need=need,
            trigger=leaf.trigger,
            alias=leaf.alias,
            when=None if leaf.when is None else leaf.when.text,
            distinct=None if leaf.distinct is None else leaf.distinct.text,
            by=list(self._refs(held)),
            causes=[] if is_true else self._causes_of(leaf.trigger),
            candidates=len(view.held.of(leaf.slot)) - len(held) if leaf.correlated else 0,
            failures=list(failures),
        )

    def _refs(self, held: list[Contribution]) -> Iterator[EventRef]:
        for contribution in held[-_MAX_EVENTS:]:
            if (ref := self._ref_of(contribution.order)) is not None:
                yield ref


def leaves_of(proof: ConditionProof) -> Iterator[ConditionProof]:
    """Yields the leaves of a condition, in their order."""
    if proof.kind == "leaf":
        yield proof
    for child in proof.children:
        yield from leaves_of(child)


def missing_leaves(proof: ConditionProof) -> Iterator[ConditionProof]:
    """Yields the leaves that could help a condition that is not true: those that are not true themselves."""
    if proof.is_true:
        return
    if proof.kind == "leaf":
        yield proof
    for child in proof.children:
        yield from missing_leaves(child)


def necessary_triggers(proof: ConditionProof) -> frozenset[str]:
    """Returns the triggers without which the condition cannot become true."""
    if proof.is_true:
        return frozenset()
    if proof.kind == "leaf":
        return frozenset({proof.trigger})
    parts = [necessary_triggers(child) for child in proof.children if not child.is_true]
    lacking = (proof.need or 0) - proof.have
    if lacking >= len(parts):
        return frozenset[str]().union(*parts)
    return frozenset()


def becomes_true(proof: ConditionProof, triggers: frozenset[str]) -> bool:
    """Returns whether one fire of each trigger certainly makes the condition true."""
    if proof.is_true:
        return True
    if proof.kind == "leaf":
        return proof.trigger in triggers and proof.when is None and proof.have + 1 == proof.need
    found = sum(becomes_true(child, triggers) for child in proof.children)
    return proof.kind != "sequence" and proof.need is not None and found >= proof.need > 0


def without_causes(proof: ConditionProof) -> ConditionProof:
    """Returns the condition without what differs between instances that wait alike."""
    children = [without_causes(child) for child in proof.children]
    return replace(proof, causes=[], by=[], until=None, children=children)
