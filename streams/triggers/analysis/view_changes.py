"""Compares two states of a session and returns every difference with its path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeGuard

import msgspec
from msgspec import Struct

from triggers.analysis.times import moment

_TIMES = {"created", "modified", "due"}
_SHOWN_ELSEWHERE = re.compile(r"instances \S.* exception")
"""The paths of what a view derives from the metadata, whose changes are listed already."""


class ChangedValue(Struct, frozen=True, kw_only=True):
    """One value that differs."""

    path: str
    """The path to the value, such as `instances t_import#0 status`."""
    before: Any
    """The value before, or None if there was none."""
    after: Any
    """The value after, or None if there is none."""


def changes_between(before: object, after: object) -> list[ChangedValue]:
    """Returns every difference between two values that can be encoded as JSON.

    Objects are compared member by member, and so are lists of objects with a `name`. Other lists are compared whole.
    """
    changes = _changes("", _plain(before), _plain(after))
    return [change for change in changes if not _SHOWN_ELSEWHERE.match(change.path)]


def value_words(path: str, value: object) -> str:
    """Formats the value at a path for people: times as `moment` does, anything else as JSON."""
    is_time = path.rpartition(" ")[2] in _TIMES or " timestamps " in path
    return moment(value) if is_time and isinstance(value, int) else msgspec.json.encode(value).decode()


def _plain(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def _changes(path: str, before: object, after: object) -> Iterator[ChangedValue]:
    if _is_named(before) and _is_named(after):
        before, after = _by_name(before), _by_name(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _member(f"{path} {name}".lstrip(), name, before, after)
    elif canonical_json(before) != canonical_json(after):
        yield ChangedValue(path=path, before=before, after=after)


def _member(path: str, name: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[ChangedValue]:
    if name in before and name in after:
        yield from _changes(path, before[name], after[name])
    else:
        yield ChangedValue(path=path, before=before.get(name), after=after.get(name))


def _is_named(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value)


def _by_name(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["name"]: {key: member for key, member in one.items() if key != "name"} for one in objects}


def canonical_json(value: object) -> bytes:
    """Returns bytes that are equal only for equal JSON. In Python, `True` equals 1."""
    return msgspec.json.encode(value, order="deterministic")
