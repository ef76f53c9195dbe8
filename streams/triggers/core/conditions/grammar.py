"""Compiles conditions from JSON to trees. Its errors name the value and the fix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import count
from typing import Final

from triggers.core.conditions.checks import check_conditions
from triggers.core.conditions.tree import (
    MAX_HELD,
    Combinator,
    Conditions,
    Kind,
    Leaf,
    Node,
    children_before,
    combinators,
)
from triggers.core.durations import parse_duration
from triggers.core.expressions.program import Expression, parse_expression
from triggers.core.json_checks import check_keys, require_integer, require_object, require_text
from triggers.errors import InvalidConfiguration

MAX_DEPTH: Final = 8
MAX_LEAVES: Final = 64

EVENT_NAMES: Final = ("kwargs", "event", "session")
"""The names that an expression about an event alone may use."""
_WHEN_NAMES: Final = (*EVENT_NAMES, "on")
STATE_NAMES: Final = ("on", "session")
"""The names that an expression about an instance alone may use."""

LEAF_KEYS: Final = ("trigger", "as", "when", "count", "distinct", "keep")
COMBINATORS: Final = ("all", "any", "atLeast", "sequence")
_CONDITION_FORMS: Final = (
    'a trigger name, {"trigger": …}, a list, or one of {"all": […]}, {"any": […]}, {"atLeast": n, "of": […]} and'
    ' {"sequence": […]}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """The directive of a condition, and what it allows in its leaves."""

    where: str
    level: int = 1
    windowed: bool = False
    """True below a `within`, where `keep` is `latest` by default."""
    restart: bool = False
    """True in `after` and `andEvery` of a task that restarts its delay, where `keep` is `latest` by default, too."""
    aliases: bool = True
    """True if `as` is allowed."""
    numbers: Iterator[int] = field(default_factory=count)
    """Numbers for the slots of leaves that have no alias."""
    plain: set[str] = field(default_factory=set)
    """The triggers of the plain leaves without an alias so far."""

    def inside(self, step: str, *, windowed: bool = False) -> _Scope:
        return replace(self, where=self.where + step, level=self.level + 1, windowed=self.windowed or windowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenConditions:
    """The directives of a task that are conditions, as decoded JSON. None if the task lacks the directive."""

    after: object = None
    and_every: object = None
    unless: object = None
    within: object = None
    restart: bool = False


def parse_conditions(written: WrittenConditions, task: str) -> Conditions:
    """Compiles a task's conditions. Raises InvalidConfiguration."""
    where = f"task {task!r}"
    if written.after is None and written.and_every is None:
        raise InvalidConfiguration(f"{where}: 'after' and 'andEvery' are missing; it must have one of them")
    within = 0 if written.within is None else parse_duration(written.within, f"{where}: 'within'")
    scope = _Scope(where=f"{where}: 'after'", windowed=within > 0, restart=written.restart)
    every = None
    if written.and_every is not None:
        every = _leaf(
            written.and_every, _Scope(where=f"{where}: 'andEvery'", level=2, restart=written.restart), LEAF_KEYS
        )
    after = _top(_without_repetitions(written.after, written.and_every), scope)
    children = (*([] if after is None else [after]), *([] if every is None else [every]))
    mark = _mark(within and [written.within, written.after, written.and_every])
    root = _combined(Kind.ALL, children, within=within, mark=mark)
    unless = _top(written.unless, _Scope(where=f"{where}: 'unless'", aliases=False))
    conditions = _assembled(root, every, unless)
    check_conditions(conditions, where)
    return conditions


def parse_leaf(value: object, where: str, *, names: tuple[str, ...] = _WHEN_NAMES) -> Leaf:
    """Compiles a leaf that has `trigger` and `when` only. Raises InvalidConfiguration."""
    return _leaf(value, _Scope(where=where), ("trigger", "when"), names)


def _top(value: object, scope: _Scope) -> Node | None:
    """Compiles a directive. Returns None for an absent directive and for an empty list, which are no condition."""
    return None if value is None or value == [] else _condition(value, scope)


def _without_repetitions(after: object, and_every: object) -> object:
    """Merges a bare name that is listed twice, or that equals a bare `andEvery`, into one leaf."""
    if not isinstance(after, list):
        return [] if isinstance(after, str) and after == and_every else after
    seen: set[object] = {and_every} if isinstance(and_every, str) else set()
    distinct: list[object] = []
    for item in after:
        if not isinstance(item, str):
            distinct.append(item)
        elif item not in seen:
            seen.add(item)
            distinct.append(item)
    return distinct


def _condition(value: object, scope: _Scope) -> Node:
    if scope.level > MAX_DEPTH:
        raise InvalidConfiguration(f"{scope.where}: it is deeper than {MAX_DEPTH} levels; make it flatter")
    match value:
        case str():
            return _leaf(value, scope, LEAF_KEYS)
        case list():
            return _combinator({"all": value}, scope, step="")
        case dict() if "trigger" in value:
            return _leaf(value, scope, LEAF_KEYS)
        case dict():
            return _combinator(value, scope)
        case _:
            raise InvalidConfiguration(f"{scope.where}: {value!r:.80} is not a condition; write {_CONDITION_FORMS}")


def _combinator(value: dict[str, object], scope: _Scope, step: str | None = None) -> Combinator:
    check_keys(value, (*COMBINATORS, "of", "within"), scope.where, "a condition")
    found = [name for name in COMBINATORS if name in value]
    if len(found) != 1:
        raise InvalidConfiguration(
            f"{scope.where}: it has {' and '.join(found) or 'no combinator'}; write one of {_CONDITION_FORMS}"
        )
    kind = Kind(found[0])
    if ("of" in value) != (kind is Kind.AT_LEAST):
        raise InvalidConfiguration(f"{scope.where}: 'of' belongs to 'atLeast': {{\"atLeast\": 2, \"of\": […]}}")
    within = parse_duration(value["within"], f"{scope.where}: 'within'") if value.get("within") is not None else 0
    key = "of" if kind is Kind.AT_LEAST else found[0]
    items, windowed = value[key], within > 0
    if not isinstance(items, list) or not items:
        raise InvalidConfiguration(
            f"{scope.where}: {key!r} must be a list of one condition or more, but it is {items!r:.80}"
        )
    inner = f".{key}" if step is None else step
    children = tuple(
        [_condition(item, scope.inside(f"{inner}[{at}]", windowed=windowed)) for at, item in enumerate(items)]
    )
    need = 0
    if kind is Kind.AT_LEAST:
        need = require_integer(value["atLeast"], f"{scope.where}: 'atLeast'", 1, len(children))
    return _combined(kind, children, need=need, within=within, mark=_mark(within and [value, not scope.aliases]))


def _combined(
    kind: Kind, children: tuple[Node, ...], *, need: int = 0, within: int = 0, mark: bytes = b""
) -> Combinator:
    triggers: set[str] = set()
    for child in children:
        triggers |= {child.trigger} if isinstance(child, Leaf) else child.triggers
    return Combinator(kind=kind, children=children, need=need, within=within, mark=mark, triggers=frozenset(triggers))


def _mark(written: object) -> bytes:
    """Returns a hash that is equal for equal JSON, whatever the order of its keys."""
    return blake2b(json.dumps(written, sort_keys=True).encode(), digest_size=8).digest() if written else b""


def _leaf(value: object, scope: _Scope, keys: tuple[str, ...], names: tuple[str, ...] = _WHEN_NAMES) -> Leaf:
    if isinstance(value, str):
        value = {"trigger": value}
    written = require_object(value, scope.where, 'a trigger name or {"trigger": …}')
    check_keys(written, keys if scope.aliases else tuple(key for key in keys if key != "as"), scope.where, "a leaf")
    if "trigger" not in written:
        raise InvalidConfiguration(f"{scope.where}: 'trigger' is missing; it must be the name of a trigger")
    trigger = require_text(written["trigger"], f"{scope.where}: 'trigger'")
    alias = require_text(written.get("as", trigger), f"{scope.where}: 'as'")
    keep = written.get("keep")
    if keep not in (None, "first", "latest"):
        raise InvalidConfiguration(f"{scope.where}: 'keep' must be 'first' or 'latest', but it is {keep!r:.80}")
    when, count = _expression(written, "when", scope, names), _count(written.get("count", 1), f"{scope.where}: 'count'")
    return Leaf(
        trigger=trigger,
        alias=alias,
        when=when,
        count=count,
        correlated=when is not None and when.uses("on"),
        passes_list=count != 1,
        need=_need(count, correlated=when is not None and when.uses("on")),
        distinct=_expression(written, "distinct", scope, EVENT_NAMES),
        latest=keep == "latest" or (keep is None and (scope.windowed or scope.restart)),
        goes_on=keep == "latest" or (keep is None and scope.restart),
        plain=written.keys() == {"trigger"},
        slot=_slot(scope, trigger, alias, plain=written.keys() == {"trigger"}),
        zero_is_true=scope.aliases,
    )


def _need(count: int | Expression | None, *, correlated: bool) -> int:
    if correlated or isinstance(count, Expression):
        return 0
    return 1 if count is None else count


def _slot(scope: _Scope, trigger: str, alias: str, *, plain: bool) -> str:
    """Returns the slot of a leaf: its alias. In `unless`, it is the trigger of the first plain leaf, else a number."""
    if scope.aliases:
        return f"+{alias}"
    if plain and trigger not in scope.plain:
        scope.plain.add(trigger)
        return f"-{trigger}"
    return f"~{next(scope.numbers)}"


def _expression(written: dict[str, object], key: str, scope: _Scope, names: tuple[str, ...]) -> Expression | None:
    value = written.get(key)
    return None if value is None else parse_expression(value, f"{scope.where}: {key!r}", names)


def _count(value: object, where: str) -> int | Expression | None:
    if value == "all":
        return None
    if isinstance(value, str):
        return parse_expression(value, where, STATE_NAMES)
    return require_integer(value, where, 1, MAX_HELD)


def _assembled(root: Combinator, every: Leaf | None, unless: Node | None) -> Conditions:
    leaves = (*root.leaves(), *([] if unless is None else unless.leaves()))
    inner = (*combinators(root), *([] if unless is None else combinators(unless)))
    windows = any(combinator.within for combinator in inner)
    sequences = any(combinator.kind is Kind.SEQUENCE for combinator in inner)
    by_trigger: dict[str, tuple[Leaf, ...]] = {}
    for leaf in leaves:
        by_trigger[leaf.trigger] = (*by_trigger.get(leaf.trigger, ()), leaf)
    return Conditions(
        root=root,
        and_every=every,
        unless=unless,
        leaves=leaves,
        by_trigger=by_trigger,
        by_slot={leaf.slot: leaf for leaf in leaves},
        by_alias={leaf.alias: leaf for leaf in root.leaves()},
        combinators=inner,
        windows=windows,
        sequences=sequences,
        steady=not windows
        and not sequences
        and not any(leaf.correlated or isinstance(leaf.count, Expression) for leaf in leaves),
        before=dict(children_before(root)) | ({} if unless is None else dict(children_before(unless))),
    )
