"""Compiles the directives of a task of edition 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from triggers.core.commands import QUEUE_NAME
from triggers.core.conditions.grammar import MAX_LEAVES, STATE_NAMES, WrittenConditions, parse_conditions, parse_leaf
from triggers.core.conditions.tree import Conditions, Leaf
from triggers.core.durations import parse_duration
from triggers.core.edition_2_rule import (
    DEFAULT_MAX_WAIT_MS,
    DEFAULT_WAIT_MS,
    CancelOn,
    Deadline,
    Delay,
    Edition2Rule,
    Retry,
)
from triggers.core.expressions.program import Expression, parse_expression
from triggers.core.json_checks import (
    check_keys,
    require_bool,
    require_integer,
    require_list,
    require_number,
    require_object,
    require_text,
)
from triggers.core.session_limits import Timeouts
from triggers.errors import InvalidConfiguration

T = TypeVar("T")

EDITION_1_DIRECTIVES: Final = ("after", "andEvery", "unless", "run", "withParams", "using", "timeouts")
DIRECTIVES: Final = (
    *EDITION_1_DIRECTIVES,
    *("within", "delay", "deadline", "retry", "cancelOn", "with", "queue", "optional", "meta"),
)
MAX_ATTEMPTS: Final = 1_000
_MAX_TIMEOUT_ATTEMPTS: Final = 1_000_000
_MAX_BACKOFF: Final = 1e6
_ADVICE: Final = "; the application's own data goes under 'meta'"


def parse_task(name: str, value: object) -> Edition2Rule:
    """Compiles one task. Raises InvalidConfiguration, which names the task, the key, the value and the fix."""
    where = f"task {name!r}"
    written = {key: item for key, item in require_object(value, where).items() if item is not None}
    check_keys(written, DIRECTIVES, where, "a task", _ADVICE)
    if "run" not in written:
        raise InvalidConfiguration(f"{where}: 'run' is missing; it must be the name of a Celery task")
    if "with" in written and "withParams" in written:
        raise InvalidConfiguration(f"{where}: 'with' and 'withParams' exclude each other; 'with' defines all arguments")
    delay = _optional(written, "delay", where, parse_delay)
    conditions = parse_conditions(_conditions_of(written, restart=delay is not None and delay.restart), name)
    cancel_on = _optional(written, "cancelOn", where, _cancel_on)
    rule = Edition2Rule(
        name=name,
        run=require_text(written["run"], f"{where}: 'run'"),
        conditions=conditions,
        using=_optional(written, "using", where, require_text),
        with_params=_optional(written, "withParams", where, require_object) or {},
        arguments=_optional(written, "with", where, _arguments),
        queue=_optional(written, "queue", where, _queue),
        delay=delay,
        deadline=_optional(written, "deadline", where, parse_deadline),
        timeouts=_optional(written, "timeouts", where, parse_timeouts),
        retry=_optional(written, "retry", where, parse_retry),
        cancel_on=cancel_on,
        optional=_optional(written, "optional", where, require_bool) or False,
        remembers=not all(leaf.is_latest for leaf in conditions.leaves),
        blind=_is_blind(conditions, cancel_on),
        simple=_is_simple(written),
    )
    _check_leaves(rule, where)
    return rule


def _conditions_of(written: dict[str, object], *, restart: bool) -> WrittenConditions:
    return WrittenConditions(
        after=written.get("after"),
        and_every=written.get("andEvery"),
        unless=written.get("unless"),
        within=written.get("within"),
        restart=restart,
    )


def _optional(written: dict[str, object], key: str, where: str, parse: Callable[[object, str], T]) -> T | None:
    return parse(written[key], f"{where}: {key!r}") if key in written else None


def _is_simple(written: dict[str, object]) -> bool:
    lists = [written.get(key, []) for key in ("after", "unless")]
    return (
        written.keys() <= {*EDITION_1_DIRECTIVES, "meta", "optional"}
        and isinstance(written.get("andEvery", ""), str)
        and all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists)
    )


def _is_blind(conditions: Conditions, cancel_on: CancelOn | None) -> bool:
    looks_back = any(leaf.correlated for leaf in cancel_on.leaves) if cancel_on else False
    tells_apart = any(leaf.distinct for leaf in conditions.leaves) or not conditions.steady
    return not (looks_back or (tells_apart and not _is_sequence_of_counts(conditions)))


def _is_sequence_of_counts(conditions: Conditions) -> bool:
    """Returns whether the number of contributions of each child of its sequences describes an instance completely."""
    return (
        not conditions.windows
        and not any(leaf.distinct or leaf.correlated for leaf in conditions.leaves)
        and not any(isinstance(leaf.count, Expression) for leaf in conditions.leaves)
    )


def _check_leaves(rule: Edition2Rule, where: str) -> None:
    leaves = len(rule.conditions.leaves) + (len(rule.cancel_on.leaves) if rule.cancel_on else 0)
    if leaves > MAX_LEAVES and not rule.simple:
        raise InvalidConfiguration(
            f"{where}: it has {leaves} leaves; at most {MAX_LEAVES} are allowed, all directives together"
        )


def parse_delay(value: object, where: str) -> Delay:
    """Compiles `delay`. Raises InvalidConfiguration."""
    if not isinstance(value, dict):
        return Delay(wait=parse_duration(value, where))
    check_keys(value, ("for", "restart", "atMost"), where, "'delay'")
    if "for" not in value:
        raise InvalidConfiguration(f"{where}: 'for' is missing; it must be a duration")
    wait = parse_duration(value["for"], f"{where}: 'for'")
    restart = require_bool(value.get("restart", False), f"{where}: 'restart'")
    if value.get("atMost") is None:
        return Delay(wait=wait, restart=restart)
    at_most = parse_duration(value["atMost"], f"{where}: 'atMost'")
    if not restart:
        raise InvalidConfiguration(
            f"{where}: 'atMost' bounds a delay that restarts; add \"restart\": true or remove it"
        )
    if at_most < wait:
        raise InvalidConfiguration(f"{where}: 'atMost' ({value['atMost']!r}) is shorter than 'for' ({value['for']!r})")
    return Delay(wait=wait, restart=True, at_most=at_most)


def parse_deadline(value: object, where: str) -> Deadline:
    """Compiles `deadline`. Raises InvalidConfiguration."""
    if not isinstance(value, dict):
        return Deadline(wait=parse_duration(value, where))
    check_keys(value, ("in", "then"), where, "'deadline'")
    if "in" not in value:
        raise InvalidConfiguration(f"{where}: 'in' is missing; it must be a duration")
    then = value.get("then", "expire")
    if then not in ("expire", "run"):
        raise InvalidConfiguration(f"{where}: 'then' must be 'expire' or 'run', but it is {then!r:.80}")
    return Deadline(wait=parse_duration(value["in"], f"{where}: 'in'"), runs=then == "run")


def parse_timeouts(value: object, where: str) -> Timeouts:
    """Compiles `timeouts`, whose times are durations in edition 2. Raises InvalidConfiguration."""
    written = require_object(value, where)
    check_keys(written, ("scheduled", "running", "attempts"), where, "'timeouts'")
    times = {
        key: parse_duration(written[key], f"{where}: {key!r}")
        for key in ("scheduled", "running")
        if written.get(key) is not None
    }
    attempts = written.get("attempts")
    if attempts is None:
        return Timeouts(**times)
    return Timeouts(**times, attempts=require_integer(attempts, f"{where}: 'attempts'", 1, _MAX_TIMEOUT_ATTEMPTS))


def parse_retry(value: object, where: str) -> Retry:
    """Compiles `retry`. Raises InvalidConfiguration."""
    written = {key: item for key, item in require_object(value, where).items() if item is not None}
    check_keys(written, ("attempts", "wait", "backoff", "maxWait", "jitter", "on", "except"), where, "'retry'")
    if "attempts" not in written:
        raise InvalidConfiguration(f"{where}: 'attempts' is missing; it counts the first one")
    return Retry(
        attempts=require_integer(written["attempts"], f"{where}: 'attempts'", 1, MAX_ATTEMPTS),
        wait=_optional(written, "wait", where, parse_duration) or DEFAULT_WAIT_MS,
        backoff=require_number(written.get("backoff", 2), f"{where}: 'backoff'", 0, _MAX_BACKOFF),
        max_wait=_optional(written, "maxWait", where, parse_duration) or DEFAULT_MAX_WAIT_MS,
        jitter=require_number(written.get("jitter", 0.1), f"{where}: 'jitter'", 0, 1),
        on=_optional(written, "on", where, _types),
        except_=_optional(written, "except", where, _types) or (),
    )


def _types(value: object, where: str) -> tuple[str, ...]:
    items = require_list(value, where, 'a list of exception types, such as ["builtins.ValueError"]')
    return tuple([require_text(item, f"{where}[{at}]") for at, item in enumerate(items)])


def _cancel_on(value: object, where: str) -> CancelOn:
    if not isinstance(value, dict):
        return CancelOn(leaves=_cancelling(value, where))
    check_keys(value, ("on", "terminate"), where, "'cancelOn'")
    if "on" not in value:
        raise InvalidConfiguration(f"{where}: 'on' is missing; it must be a list of leaves")
    terminate = require_bool(value.get("terminate", False), f"{where}: 'terminate'")
    return CancelOn(leaves=_cancelling(value["on"], f"{where}: 'on'"), terminate=terminate)


def _cancelling(value: object, where: str) -> tuple[Leaf, ...]:
    items = require_list(value, where, 'a list of leaves, such as ["withdrawn"]')
    return tuple([parse_leaf(item, f"{where}[{at}]") for at, item in enumerate(items)])


def _arguments(value: object, where: str) -> dict[str, Expression]:
    written = require_object(value, where, "parameter -> expression")
    return {name: parse_expression(text, f"{where}: {name!r}", STATE_NAMES) for name, text in written.items()}


def _queue(value: object, where: str) -> str:
    text = require_text(value, where)
    if not QUEUE_NAME.fullmatch(text):
        raise InvalidConfiguration(f"{where}: {text!r:.80} must be 1 to 64 letters, digits, '-' and '_'")
    return text
