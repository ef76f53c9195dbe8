"""A condition, compiled: combinators over leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from triggers.core.expressions.program import Expression

MAX_HELD: Final = 1_000
"""Contributions that a leaf holds at most, and candidates."""


class Kind(StrEnum):
    """Kinds of combinators."""

    ALL = "all"
    ANY = "any"
    AT_LEAST = "atLeast"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One trigger that a condition waits for."""

    trigger: str
    alias: str
    when: Expression | None = None
    count: int | Expression | None = 1
    """A number, an expression over `on`, or None: "all"."""
    distinct: Expression | None = None
    latest: bool = False
    """`keep: latest`: never closed, holds the last ones."""
    goes_on: bool = False
    """Says `keep: latest` itself, or has it by `restart`: it goes on below a `within` that is true."""
    plain: bool = False
    """A bare trigger."""
    slot: str = ""
    """Under which an instance and a session keep what is the leaf's."""
    need: int = 0
    """Contributions that make it true, if that is a number that it holds in any case; 0: it must be worked out."""
    zero_is_true: bool = True
    """A count of 0 makes it true; not so in `unless`."""

    correlated: bool = False
    """`when` looks at what the instance holds: the leaf holds candidates."""
    passes_list: bool = False
    """The task receives a list."""

    @property
    def is_latest(self) -> bool:
        """Returns whether it remembers no more than the latest kwargs of its trigger, which the session has anyway."""
        return self.count == 1 and self.when is None and self.distinct is None

    @property
    def remembered(self) -> int:
        """How many contributions the session remembers for it."""
        return self.count if isinstance(self.count, int) and not self.correlated else MAX_HELD

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same leaf after an update; of `unless` it has no alias."""
        parts = (self.when, self.distinct)
        return self.trigger, self.alias, *["" if part is None else part.text for part in parts]

    def leaves(self) -> Iterator[Leaf]:
        """Yields itself, as a combinator yields its leaves."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinator:
    """`all`, `any`, `atLeast` or `sequence` over children, maybe within a time."""

    kind: Kind
    children: tuple[Node, ...]
    need: int = 0
    """How many children must be true, of `atLeast`."""
    within: int = 0
    """Milliseconds; 0: whenever."""
    mark: bytes = b""
    """What an instance notes of it when it has become true within its time: the same for what is written the same."""
    triggers: frozenset[str] = frozenset()

    def leaves(self) -> Iterator[Leaf]:
        """Yields the leaves below it, in their order."""
        for child in self.children:
            yield from child.leaves()


Node = Leaf | Combinator


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """When a task runs and when it does not."""

    root: Combinator
    """`after` and, as one more child of an `all`, the `andEvery` leaf."""
    and_every: Leaf | None
    unless: Node | None
    leaves: tuple[Leaf, ...]
    """Of both, in their order."""
    by_trigger: dict[str, tuple[Leaf, ...]]
    by_slot: dict[str, Leaf]
    by_alias: dict[str, Leaf]
    """Those of `after` and `andEvery`."""
    before: dict[str, tuple[Node, ...]]
    """Slot of a leaf -> children before it in the sequences around it, where it has any."""

    combinators: tuple[Combinator, ...] = ()
    """Of both trees, the inner ones first."""
    windows: bool = False
    """Something has a `within`."""
    sequences: bool = False
    steady: bool = False
    """What is held is never dropped, and what is offered in another order comes to the same: no window, no sequence, no
    `when` or `count` that looks at what is held."""

    @property
    def after_leaves(self) -> Iterator[Leaf]:
        """Leaves of `after` alone."""
        return (leaf for leaf in self.root.leaves() if leaf is not self.and_every)

    @property
    def trees(self) -> tuple[Node, ...]:
        """`after` with `andEvery`, and `unless` if there is one."""
        return (self.root,) if self.unless is None else (self.root, self.unless)


def combinators(node: Node) -> Iterator[Combinator]:
    """Yields the combinators of a condition, the inner ones first."""
    if isinstance(node, Combinator):
        for child in node.children:
            yield from combinators(child)
        yield node


def children_before(node: Node, before: tuple[Node, ...] = ()) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """Yields slot and the children before it for every leaf within a sequence, but for the first ones."""
    if isinstance(node, Leaf):
        if before:
            yield node.slot, before
        return
    for at, child in enumerate(node.children):
        earlier = node.children[:at] if node.kind is Kind.SEQUENCE else ()
        yield from children_before(child, before + earlier)
