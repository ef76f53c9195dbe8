"""Encodes the kwargs and configurations that an application passes as JSON objects."""

from __future__ import annotations

import math
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from triggers.codec.json_payloads import MAX_DEPTH
from triggers.errors import CallError

_NAME_LISTS: Final = frozenset({"after", "unless"})
_encode = msgspec.json.Encoder().encode


def encode_object(value: Mapping[str, object] | None, name: str) -> bytes:
    """Encodes a mapping as JSON; None becomes `{}`. Error messages call the mapping `name`.

    Only types that JSON has are accepted, and tuples, which become lists: a set or a date would be decoded as something
    else. Raises CallError that names the path of the value, such as `kwargs['page'][0]`.
    """
    if value is None:
        return b"{}"
    if not isinstance(value, Mapping):
        raise _refusal(name, value, "it must be a mapping")
    try:
        return _encode(_plain(value, name, 1))
    except (ValueError, OverflowError) as error:
        if isinstance(error, CallError):
            raise
        raise CallError(f"{name}: {error}") from error


def encode_configuration(configuration: Mapping[str, object]) -> bytes:
    """Encodes a configuration as JSON; `after` and `unless` may be any iterables of names.

    Sets are sorted, because their order differs between processes. Raises CallError like `encode_object`.
    """
    if not isinstance(configuration, Mapping):
        raise _refusal("configuration", configuration, "it must be a mapping, task name -> directives")
    return encode_object({task: _listed(directives) for task, directives in configuration.items()}, "configuration")


def _listed(directives: object) -> object:
    if not isinstance(directives, Mapping):
        return directives
    return {key: _names(value) if key in _NAME_LISTS else value for key, value in directives.items()}


def _names(value: object) -> object:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return value
    names = list(value)
    if isinstance(value, set | frozenset):
        return sorted(names) if all(isinstance(name, str) for name in names) else value
    return names


def _plain(value: object, path: str, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int | float):
        return _number(value, path)
    if isinstance(value, Mapping | list | tuple):
        return _container(value, path, depth)
    raise _refusal(path, value, _advice(value))


def _advice(value: object) -> str:
    if isinstance(value, set | frozenset):
        return "use a list"
    if isinstance(value, Coroutine):
        return "a task must be no `async def`, because Celery does not await it; use asyncio.run()"
    return "convert it first"


def _container(value: Mapping[object, object] | Sequence[object], path: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise _refusal(path, value, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(member, f"{path}[{key!r}]", depth + 1) for key, member in value.items()}
    return [_plain(member, f"{path}[{index}]", depth + 1) for index, member in enumerate(value)]


def _number(value: float, path: str) -> float:
    """Returns a plain int or float; an IntEnum or a subclass from NumPy becomes its value."""
    if isinstance(value, int):
        return int(value)
    if not math.isfinite(value):
        raise _refusal(path, value, "JSON has only finite numbers")
    return float(value)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise _refusal(f"{path}[{key!r}]", key, "a key must be a str")
    return _text(key, path)


def _text(text: str, path: str) -> str:
    try:
        return text.encode().decode()
    except UnicodeEncodeError as error:
        raise CallError(f"{path}: {error.object[:40]!r} is not Unicode text ({error.reason})") from error


def _refusal(path: str, value: object, hint: str) -> CallError:
    shown = repr(value) if isinstance(value, float) else type(value).__name__
    return CallError(f"{path}: {shown} cannot be JSON; {hint}")
