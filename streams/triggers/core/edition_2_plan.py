"""`Edition2Plan`: a configuration of edition 2, with its tasks and its `$…` blocks, checked and compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from triggers.core.conditions.grammar import EVENT_NAMES, parse_leaf
from triggers.core.conditions.tree import Leaf
from triggers.core.durations import parse_duration
from triggers.core.edition_2_directives import parse_task, parse_timeouts
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.expressions.program import Expression, parse_expression
from triggers.core.json_checks import check_keys, require_integer, require_list, require_object, require_text
from triggers.core.nearest_name import suggestion
from triggers.core.session_limits import DEFAULT_CASCADE_DEPTH, DEFAULT_LIMITS, Limits, Timeouts
from triggers.errors import InvalidConfiguration

EDITION: Final = "$edition"
SESSION: Final = "$session"
FORWARD: Final = "$forward"
LIMITS: Final = "$limits"
MANAGER: Final = "$manager"
BLOCKS: Final = (EDITION, SESSION, FORWARD, LIMITS, MANAGER)
"""Names that begin with `$` and are known."""

OUTCOMES: Final = ("failed", "expired", "abandoned", "cancelled", "skipped")
"""Statuses that fire `<task>:<status>`."""
_ENDINGS: Final = tuple(f":{status}" for status in OUTCOMES)
_MAX_DEPTH: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """An entry of `$forward`: a leaf, and the trigger that its events fire in another session."""

    leaf: Leaf
    to: Expression
    trigger: str | None = None
    """`as`, or None for the event's own trigger."""
    arguments: dict[str, Expression] | None = None
    """`with`, or None for the event's own kwargs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition2Plan:
    """A compiled configuration of edition 2."""

    tasks: dict[str, Edition2Rule]
    """The tasks in declaration order."""
    by_trigger: dict[str, tuple[Edition2Rule, ...]]
    """Tasks that have a leaf for the trigger, one of `cancelOn` included, in declaration order."""
    forwards: tuple[Forward, ...] = ()
    finalize: str | None = None
    limits: Limits = DEFAULT_LIMITS
    manager: str = ""
    named: frozenset[str] = frozenset()
    """The triggers that leaves name. The engine fires only those outcome triggers that are among them."""

    def timeouts_of(self, task: Edition2Rule) -> Timeouts:
        """Returns the timeouts of the task, or those of the session if the task has none."""
        return task.timeouts or self.limits.timeouts


def is_reserved(trigger: str) -> bool:
    """Returns whether only the engine fires the trigger."""
    return trigger.endswith(_ENDINGS)


def parse_edition_2_plan(written: dict[str, object]) -> Edition2Plan:
    """Compiles a whole configuration of edition 2. Raises InvalidConfiguration."""
    tasks = {name: parse_task(name, directives) for name, directives in written.items() if not _is_block(name)}
    forwards = _forwards(written.get(FORWARD))
    by_trigger: dict[str, tuple[Edition2Rule, ...]] = {}
    for task in tasks.values():
        for trigger in dict.fromkeys(leaf.trigger for leaf in _leaves(task)):
            by_trigger[trigger] = (*by_trigger.get(trigger, ()), task)
    return Edition2Plan(
        tasks=tasks,
        by_trigger=by_trigger,
        forwards=forwards,
        finalize=_finalize(written.get(SESSION)),
        limits=_limits(written.get(LIMITS)),
        manager=_manager(written.get(MANAGER)),
        named=frozenset({*by_trigger, *[forward.leaf.trigger for forward in forwards]}),
    )


def _leaves(task: Edition2Rule) -> tuple[Leaf, ...]:
    return (*task.conditions.leaves, *(task.cancel_on.leaves if task.cancel_on else ()))


def _is_block(name: str) -> bool:
    if is_reserved(name):
        raise InvalidConfiguration(
            f"task {name!r}: only the engine fires names that end like outcomes; choose another one"
        )
    if not name.startswith("$"):
        return False
    if name not in BLOCKS:
        raise InvalidConfiguration(
            f"{name!r:.80}: names that begin with '$' are reserved{suggestion(name, BLOCKS)};"
            f" there are {', '.join(BLOCKS)}"
        )
    return True


def _finalize(value: object) -> str | None:
    if value is None:
        return None
    written = require_object(value, repr(SESSION))
    check_keys(written, ("finalize",), repr(SESSION), "it")
    if written.get("finalize") is None:
        return None
    return _free_name(written["finalize"], f"{SESSION!r}: 'finalize'")


def _free_name(value: object, where: str) -> str:
    name = require_text(value, where)
    if is_reserved(name):
        raise InvalidConfiguration(f"{where}: {name!r:.80}: only the engine fires names that end like outcomes")
    return name


def _forwards(value: object) -> tuple[Forward, ...]:
    if value is None:
        return ()
    items = require_list(value, repr(FORWARD), 'a list of {"on": …, "to": …}')
    return tuple([_forward(item, f"{FORWARD!r}[{at}]") for at, item in enumerate(items)])


def _forward(value: object, where: str) -> Forward:
    written = {key: item for key, item in require_object(value, where).items() if item is not None}
    check_keys(written, ("on", "to", "as", "with"), where, "a forward")
    for key, what in (("on", "a trigger name or a leaf"), ("to", "an expression that gives a session")):
        if key not in written:
            raise InvalidConfiguration(f"{where}: {key!r} is missing; it must be {what}")
    arguments = require_object(written["with"], f"{where}: 'with'", "name -> expression") if "with" in written else None
    return Forward(
        leaf=parse_leaf(written["on"], f"{where}: 'on'", names=EVENT_NAMES),
        to=parse_expression(written["to"], f"{where}: 'to'", EVENT_NAMES),
        trigger=_free_name(written["as"], f"{where}: 'as'") if "as" in written else None,
        arguments=None
        if arguments is None
        else {
            name: parse_expression(text, f"{where}: 'with': {name!r}", EVENT_NAMES) for name, text in arguments.items()
        },
    )


def _limits(value: object) -> Limits:
    if value is None:
        return DEFAULT_LIMITS
    where = repr(LIMITS)
    written = {key: item for key, item in require_object(value, where).items() if item is not None}
    check_keys(written, ("maxCascadeDepth", "sessionTtl", "timeouts"), where, "it")
    depth, ttl, timeouts = written.get("maxCascadeDepth"), written.get("sessionTtl"), written.get("timeouts")
    return Limits(
        max_cascade_depth=DEFAULT_CASCADE_DEPTH
        if depth is None
        else require_integer(depth, f"{where}: 'maxCascadeDepth'", 1, _MAX_DEPTH),
        session_ttl=0 if ttl is None else parse_duration(ttl, f"{where}: 'sessionTtl'"),
        timeouts=DEFAULT_LIMITS.timeouts if timeouts is None else parse_timeouts(timeouts, f"{where}: 'timeouts'"),
    )


def _manager(value: object) -> str:
    return "" if value is None else require_text(value, repr(MANAGER))
