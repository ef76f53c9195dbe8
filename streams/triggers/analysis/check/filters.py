"""Says whether a filter can be true, and for which kwargs, from the comparisons in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product
from typing import Final

from triggers.analysis.check.cel_kinds import COMPARE, MEMBERS, compared_constants, kind_of, words_of
from triggers.analysis.check.cel_syntax import Call, Constant, MemberPath, Syntax
from triggers.analysis.check.demands import Atom, Branch, Demands

_MAX_BRANCHES: Final = 64


class Filter:
    """One `when` of a leaf."""

    def __init__(self, tree: Syntax, trigger: str, aliases: Collection[str] | None = None) -> None:
        """`aliases` are those that `on` may have; None means that they are not known."""
        self._trigger = trigger
        self._aliases = aliases
        self._tree = tree
        self._branches = _branches(tree, is_true=True)

    def why_never(self) -> str:
        """Says why the filter is never true; empty if it may be."""
        kind = kind_of(self._tree)
        if kind not in {"truth", ""}:
            return f"the value of its `when` is a {kind}, not a truth value"
        if self._branches is None:
            return ""
        reasons = [self._why_not(branch) for branch in self._branches]
        return reasons[0] if reasons and all(reasons) else ""

    def is_always(self) -> bool:
        """Returns whether the filter is true of every event of its trigger."""
        branches = self._branches
        return branches is not None and any(all(self._truth(atom) is True for atom in branch) for branch in branches)

    def examples(self) -> Iterator[dict[MemberPath, object]]:
        """Yields values of paths that should make the filter true, one for each alternative that may be."""
        for branch in self._branches or ():
            if not self._why_not(branch):
                yield Demands.of(branch).example()

    def _why_not(self, branch: Branch) -> str:
        for atom in branch:
            if self._truth(atom) is False:
                return self._why_false(atom)
        return Demands.of(branch).contradiction()

    def _truth(self, atom: Atom) -> bool | None:
        """Returns what is known about an atom without any event. An error counts as false, whatever is negated."""
        if self._missing(atom.tree):
            return isinstance(atom.tree, Call) and atom.tree.name == "has" and not atom.is_true
        if isinstance(atom.tree, Constant):
            return isinstance(atom.tree.value, bool) and atom.tree.value is atom.is_true
        kind = kind_of(atom.tree)
        if kind not in {"truth", ""}:
            return False
        if not isinstance(atom.tree, Call) or atom.tree.name not in COMPARE:
            return None
        left, right = (self._known(side) for side in atom.tree.arguments)
        kinds = kind_of(left), kind_of(right)
        if atom.tree.name not in {"==", "!="} and all(kinds) and kinds[0] != kinds[1]:
            return False
        result = compared_constants(atom.tree.name, left, right)
        return None if result is None else result is atom.is_true

    def _known(self, tree: Syntax) -> Syntax:
        return Constant(self._trigger) if tree == MemberPath(("event", "trigger")) else tree

    def _missing(self, tree: Syntax) -> str:
        """Returns the first path in the tree that does not exist; empty if there is none."""
        match tree:
            case MemberPath():
                variable, *members = tree.parts
                if members and variable in MEMBERS and members[0] not in MEMBERS[variable]:
                    return str(tree)
                is_unknown = bool(members) and self._aliases is not None and members[0] not in self._aliases
                return str(tree) if variable == "on" and is_unknown else ""
            case Call() if tree.name not in {"&&", "||", "?:"}:
                return next((found for argument in tree.arguments if (found := self._missing(argument))), "")
            case _:
                return ""

    def _why_false(self, atom: Atom) -> str:
        if missing := self._missing(atom.tree):
            return f"there is no {missing}"
        return f"{words_of(atom.tree)} is {'never' if atom.is_true else 'always'} true"


def _branches(tree: Syntax, *, is_true: bool) -> list[Branch] | None:
    """Returns the alternatives that make the tree true or false, each a list of atoms; None if there are too many."""
    match tree:
        case Call("!", (operand,)):
            return _branches(operand, is_true=not is_true)
        case Call("&&" | "||", (left, right)):
            one, other = _branches(left, is_true=is_true), _branches(right, is_true=is_true)
            if one is None or other is None:
                return None
            both = (tree.name == "&&") is is_true
            found = [first + second for first, second in product(one, other)] if both else [*one, *other]
            return None if len(found) > _MAX_BRANCHES else found
        case _:
            return [(Atom(tree, is_true),)]
