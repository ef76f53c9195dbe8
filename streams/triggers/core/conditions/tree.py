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
    """The kind of a combinator."""

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
    """True for `keep: latest`: the leaf never closes, and holds the newest contributions."""
    goes_on: bool = False
    """True for `keep: latest`, explicit or by `restart`: the leaf takes events below a `within` that is true."""
    plain: bool = False
    """True for a bare trigger, without further keys."""
    slot: str = ""
    """The key under which instances and sessions store the leaf's contributions."""
    need: int = 0
    """The number of contributions that make it true, or 0 if an expression must be evaluated to know it."""
    zero_is_true: bool = True
    """True if a count of 0 makes the leaf true, which it does not in `unless`."""

    correlated: bool = False
    """True if `when` reads what the instance holds, so that the leaf holds candidates."""
    passes_list: bool = False
    """True if the task receives a list."""

    @property
    def is_latest(self) -> bool:
        """Returns whether it remembers no more than the latest kwargs of its trigger, which the session has anyway."""
        return self.count == 1 and self.when is None and self.distinct is None

    @property
    def remembered(self) -> int:
        """Returns the number of contributions that the session remembers for the leaf."""
        return self.count if isinstance(self.count, int) and not self.correlated else MAX_HELD

    @property
    def identity(self) -> tuple[str, ...]:
        """Returns a value by which an update recognises the leaf. A leaf of `unless` is recognised without an alias."""
        parts = (self.when, self.distinct)
        return self.trigger, self.alias, *["" if part is None else part.text for part in parts]

    def leaves(self) -> Iterator[Leaf]:
        """Yields itself, as a combinator yields its leaves."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinator:
    """`all`, `any`, `atLeast` or `sequence` over children, optionally within a time."""

    kind: Kind
    children: tuple[Node, ...]
    need: int = 0
    """The number of children that must be true, for `atLeast`."""
    within: int = 0
    """Milliseconds within which it must become true, or 0 if there is no such limit."""
    mark: bytes = b""
    """The mark that an instance stores when it has become true in time. Equal JSON has equal marks."""
    triggers: frozenset[str] = frozenset()

    def leaves(self) -> Iterator[Leaf]:
        """Yields the leaves below it, in their order."""
        for child in self.children:
            yield from child.leaves()


Node = Leaf | Combinator


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The compiled conditions of a task: when it runs, and when it is abandoned."""

    root: Combinator
    """The condition of `after`, with the leaf of `andEvery` as a further child of an `all`."""
    and_every: Leaf | None
    unless: Node | None
    leaves: tuple[Leaf, ...]
    """The leaves of `root` and of `unless`, in their order."""
    by_trigger: dict[str, tuple[Leaf, ...]]
    by_slot: dict[str, Leaf]
    by_alias: dict[str, Leaf]
    """The leaves of `after` and `andEvery` by alias."""
    before: dict[str, tuple[Node, ...]]
    """Slot of a leaf -> the preceding children of the sequences around it, if there are any."""

    combinators: tuple[Combinator, ...] = ()
    """The combinators of both trees, the inner ones first."""
    windows: bool = False
    """True if a combinator has a `within`."""
    sequences: bool = False
    steady: bool = False
    """True if contributions are never dropped and their order does not matter: there is no window, no sequence, and no
    `when` or `count` that reads what is held."""

    @property
    def after_leaves(self) -> Iterator[Leaf]:
        """The leaves of `after`, without those of `andEvery`."""
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
    """Yields slot and preceding children of each leaf in a sequence, except for the leaves of its first child."""
    if isinstance(node, Leaf):
        if before:
            yield node.slot, before
        return
    for at, child in enumerate(node.children):
        earlier = node.children[:at] if node.kind is Kind.SEQUENCE else ()
        yield from children_before(child, before + earlier)
