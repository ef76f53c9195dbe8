"""Compiles the JSON of a configuration into a plan. Only this module knows the names of the directives in JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from triggers.core.edition_2_config import compile_edition_2
from triggers.core.edition_2_plan import BLOCKS as BLOCKS_OF_EDITION_2
from triggers.core.edition_2_plan import EDITION
from triggers.core.kwargs import split_members
from triggers.core.limits import LIMITS_NAME, parse_limits, parse_timeouts
from triggers.core.nearest_name import suggestion
from triggers.core.plan import Plan, Rule
from triggers.core.session_limits import DEFAULT_LIMITS, Timeouts
from triggers.errors import CallError, InvalidConfiguration

T = TypeVar("T")


_AFTER, _AND_EVERY, _UNLESS = "after", "andEvery", "unless"


_RUN, _USING, _WITH_PARAMS, _TIMEOUTS = "run", "using", "withParams", "timeouts"


DIRECTIVES: Final = (_AFTER, _AND_EVERY, _UNLESS, _RUN, _USING, _WITH_PARAMS, _TIMEOUTS)
"""Keys of a rule that the engine reads. All other keys belong to the application."""


MANAGER_NAME: Final = "$manager"
"""Key that names the manager whose hooks run for the session; no task can have this name."""


BLOCKS: Final = (EDITION, LIMITS_NAME, MANAGER_NAME)
"""Keys of a configuration of edition 1 that name no task. Any other name is a task's, even if it begins with `$`."""


_NAMES = msgspec.json.Decoder(list[str])


_TEXT = msgspec.json.Decoder(str)


def compile_plan(text: bytes) -> Plan:
    """Compiles a configuration. Raises InvalidConfiguration."""
    directives = tasks_of(text)
    if edition := directives.pop(EDITION, None):
        if edition == b"2":
            return compile_edition_2(text)
        if edition != b"1":
            raise InvalidConfiguration(f"{EDITION!r}: it must be 1 or 2, but it is {edition[:80].decode()}")
    limits = parse_limits(directives.pop(LIMITS_NAME, b"{}"))
    manager = _manager_of(directives.pop(MANAGER_NAME, b"null"))
    tasks = {name: compile_rule(name, each, limits.timeouts) for name, each in directives.items()}
    by_trigger: dict[str, list[Rule]] = {}
    for task in tasks.values():
        for trigger in dict.fromkeys((*task.after, *task.unless)):
            by_trigger.setdefault(trigger, []).append(task)
    digest = hashlib.blake2b(text, digest_size=16).digest()
    return Plan(digest, text, tasks, {trigger: tuple(users) for trigger, users in by_trigger.items()}, limits, manager)


def validate_configuration(text: bytes) -> Plan:
    """Returns the plan of a configuration.

    Raises InvalidConfiguration that names the task, the key and the fix if the configuration cannot be compiled.
    """
    check_keys(text)
    return compile_plan(text)


def compile_rule(name: str, directives: bytes, timeouts: Timeouts = DEFAULT_LIMITS.timeouts) -> Rule:
    """Compiles the directives of one task; `timeouts` apply if it sets none. Raises InvalidConfiguration."""
    members = _object(directives, name, "its directives")
    if "name" in members:
        raise InvalidConfiguration(f"task {name!r}: remove 'name'; the key {name!r} names the task already")
    after = _required(members, name, _AFTER, _NAMES, "a list of trigger names")
    run = _required(members, name, _RUN, _TEXT, "the name of a Celery task")
    and_every = _optional(members, name, _AND_EVERY, _TEXT, "one trigger name")
    after_set = frozenset(after if and_every is None else (*after, and_every))
    unless = _optional(members, name, _UNLESS, _NAMES, "a list of trigger names") or []
    return Rule(
        name=name,
        run=run,
        after=tuple(sorted(after_set)),
        and_every=and_every,
        unless=tuple(sorted(set(unless))),
        using=_optional(members, name, _USING, _TEXT, "the name of a task runner"),
        with_params=_with_params(members, name),
        timeouts=parse_timeouts(members.pop(_TIMEOUTS, b"null"), name) or timeouts,
        extra=members,
        after_set=after_set,
        unless_set=frozenset(unless),
    )


def tasks_of(text: bytes) -> dict[str, bytes]:
    try:
        return split_members(text)
    except CallError as error:
        raise InvalidConfiguration(f"a configuration maps task names to directives; {error}") from error


def _manager_of(text: bytes) -> str:
    try:
        return "" if text == b"null" else _TEXT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{MANAGER_NAME!r} must be the key of a manager: {error}") from error


def _object(text: bytes, task: str, what: str) -> dict[str, bytes]:
    try:
        return split_members(text)
    except CallError as error:
        raise InvalidConfiguration(f"task {task!r}: {what}: {error}") from error


def check_keys(text: bytes) -> None:
    """Refuses duplicate keys, because readers disagree about which value counts, and JSON that is nested too deep."""
    try:
        json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidConfiguration):
            raise
        raise InvalidConfiguration(f"a configuration is a JSON object, task name -> directives: {error}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise InvalidConfiguration(f"the key {duplicate!r} occurs twice in one object; keep one of them")
    return members


def _with_params(members: dict[str, bytes], task: str) -> bytes:
    text = members.pop(_WITH_PARAMS, b"null")
    if text == b"null":
        return b"{}"
    _object(text, task, repr(_WITH_PARAMS))
    return text


def _required(members: dict[str, bytes], task: str, key: str, decoder: msgspec.json.Decoder[T], what: str) -> T:
    if key not in members:
        raise InvalidConfiguration(f"task {task!r}: {key!r} is missing; it must be {what}{_meant_block(task)}")
    return _decoded(members.pop(key), task, key, decoder.decode, what)


def _meant_block(name: str) -> str:
    """Returns advice if the name of the task was perhaps meant to be that of a block."""
    if name in BLOCKS_OF_EDITION_2:
        return f". The block {name!r} needs {EDITION!r}: 2"
    return suggestion(name, BLOCKS) if name.startswith("$") else ""


def _optional(members: dict[str, bytes], task: str, key: str, decoder: msgspec.json.Decoder[T], what: str) -> T | None:
    text = members.pop(key, b"null")
    return None if text == b"null" else _decoded(text, task, key, decoder.decode, what)


def _decoded(text: bytes, task: str, key: str, decode: Callable[[bytes], T], what: str) -> T:
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        value = text[:80].decode(errors="replace")
        raise InvalidConfiguration(f"task {task!r}: {key!r} must be {what}, but it is {value}") from error
