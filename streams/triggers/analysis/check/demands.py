"""Finds out whether comparisons exclude each other, and otherwise values that meet them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from triggers.analysis.check.cel_kinds import COMPARE, ON_TEXT, compared_constants, kind_of_value, words_of
from triggers.analysis.check.cel_syntax import Call, Constant, Items, MemberPath, Syntax

_NEGATED: Final = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Atom:
    """A part of a filter without `&&`, `||` and `!`, which must be true, or false."""

    tree: Syntax
    is_true: bool = True


Branch = tuple[Atom, ...]
"""Atoms that must all hold."""


@dataclass(slots=True)
class _Demand:
    """The demands of a branch on the value of one path."""

    kinds: set[str] = field(default_factory=set)
    bounds: list[tuple[str, object]] = field(default_factory=list)
    """Operator and constant."""
    among: list[list[object]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """Texts that it contains, begins with or ends with."""
    is_absent: bool = False
    words: list[str] = field(default_factory=list)
    """The comparisons, for people."""

    def candidates(self) -> list[object]:
        """Returns values among which there is one that meets the bounds, if any does."""
        exact = [value for sign, value in self.bounds if sign == "=="] + [
            value for values in self.among for value in values
        ]
        if exact:
            return exact
        limits = [value for sign, value in self.bounds if sign != "!="]
        others = [value for sign, value in self.bounds if sign == "!="]
        return [
            *_around(limits, len(others) + 1),
            *("".join(self.parts) for _ in self.parts[:1]),
            *_default(self.kinds, others),
        ]

    def meets(self, value: object) -> bool:
        return all(_holds(sign, value, bound) for sign, bound in self.bounds) and all(
            any(_holds("==", value, item) for item in values) for values in self.among
        )


def _holds(sign: str, value: object, bound: object) -> bool:
    result = compared_constants(sign, Constant(value), Constant(bound))
    return result is True


def _around(limits: list[object], count: int) -> Iterator[object]:
    """Yields the limits, and so many values beside and between them, because some may be excluded."""
    steps = range(1, count + 1)
    numbers = sorted(value for value in limits if isinstance(value, int | float) and not isinstance(value, bool))
    for number in numbers:
        yield from (number, *(number + step for step in steps), *(number - step for step in steps))
    for one, other in pairwise(numbers):
        yield from (one + (other - one) * step / (count + 1) for step in steps)
    for text in sorted(value for value in limits if isinstance(value, str)):
        yield from (text, "", *(text + "\0" * step for step in steps))


def _default(kinds: set[str], others: list[object]) -> Iterator[object]:
    """Yields values of a kind, or of any, that differ from those."""
    numbers = (1, *(value + 1 for value in others if isinstance(value, int | float)))
    texts = ("x", *(f"{value}x" for value in others if isinstance(value, str)))
    by_kind: dict[str, tuple[object, ...]] = {
        "number": numbers,
        "text": texts,
        "truth": (True, False),
        "list": ([1],),
        "null": (None,),
    }
    kind = next(iter(kinds), "") or next((kind_of_value(value) for value in others if value is not None), "number")
    yield from by_kind[kind]
    if not kinds:
        yield from (1, "x", True, None, *numbers, *texts)


class Demands:
    """The demands of a branch, path by path."""

    def __init__(self) -> None:
        self._by_path: dict[MemberPath, _Demand] = {}
        self._equal: list[tuple[MemberPath, MemberPath]] = []

    @classmethod
    def of(cls, branch: Branch) -> Demands:
        found = cls()
        for atom in branch:
            found._add(atom)
        return found

    def contradiction(self) -> str:
        """Says which demands exclude each other; empty if a value meets them all."""
        for path, demand in self._by_path.items():
            if demand.is_absent and (demand.kinds or demand.bounds or demand.among):
                return f"it needs {path}, and that there is none"
            if len(demand.kinds) > 1:
                return f"{path} would have to be a {' and a '.join(sorted(demand.kinds))}"
            if (demand.bounds or demand.among) and not any(map(demand.meets, demand.candidates())):
                return f"{' and '.join(demand.words)} exclude each other"
        return ""

    def example(self) -> dict[MemberPath, object]:
        """Returns a value for each path that is needed."""
        found: dict[MemberPath, object] = {}
        for path, demand in self._by_path.items():
            if not demand.is_absent:
                found[path] = next(filter(demand.meets, demand.candidates()), 1)
        for one, other in self._equal:
            found[one] = found[other] = found.get(one, found.get(other, 1))
        return found

    def _demand(self, path: MemberPath) -> _Demand:
        return self._by_path.setdefault(path, _Demand())

    def _add(self, atom: Atom) -> None:
        match atom.tree:
            case MemberPath():
                self._add_bound(atom.tree, "==", atom.is_true, words_of(atom.tree))
            case Call("has", (MemberPath() as path,)):
                demand = self._demand(path)
                demand.is_absent |= not atom.is_true
            case Call("in", (MemberPath() as path, Items(items))) if atom.is_true:
                values = [item.value for item in items if isinstance(item, Constant)]
                if len(values) == len(items):
                    self._demand(path).among.append(values)
                    self._demand(path).words.append(words_of(atom.tree))
            case Call(name, (MemberPath() as path, *rest)) if name in ON_TEXT:
                demand = self._demand(path)
                demand.kinds.add("text")
                if atom.is_true and name != "matches":
                    demand.parts += [str(part.value) for part in rest if isinstance(part, Constant)]
            case Call(name, (left, right)) if name in COMPARE:
                self._add_comparison(name if atom.is_true else _NEGATED[name], left, right)

    def _add_comparison(self, sign: str, left: Syntax, right: Syntax) -> None:
        if isinstance(left, MemberPath) and isinstance(right, MemberPath):
            if sign == "==":
                self._equal.append((left, right))
        elif isinstance(left, MemberPath) and isinstance(right, Constant):
            self._add_bound(left, sign, right.value, f"{left} {sign} {words_of(right)}")
        elif isinstance(right, MemberPath) and isinstance(left, Constant):
            self._add_comparison(_MIRRORED[sign], right, left)

    def _add_bound(self, path: MemberPath, sign: str, value: object, words: str) -> None:
        demand = self._demand(path)
        demand.bounds.append((sign, value))
        demand.words.append(words)
        if sign != "!=" and (kind := kind_of_value(value)):
            demand.kinds.add(kind)
