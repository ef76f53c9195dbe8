"""What an application passes as kwargs → the JSON object that travels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from triggers.codec.json_payloads import MAX_DEPTH
from triggers.errors import CallError

_encode = msgspec.json.Encoder().encode


def encode_object(value: Mapping[str, object] | None, name: str) -> bytes:
    """The mapping as JSON; None is `{}`. `name` is for the message.

    Only what JSON has is accepted (tuples become lists): a set or a date would come back as something else. Raises
    CallError that names the place, such as `kwargs['page'][0]`.
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


def _plain(value: object, path: str, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int | float):
        return _number(value, path)
    if isinstance(value, Mapping | list | tuple):
        return _container(value, path, depth)
    raise _refusal(path, value, "use a list" if isinstance(value, set | frozenset) else "convert it first")


def _container(value: Mapping[object, object] | Sequence[object], path: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise _refusal(path, value, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(member, f"{path}[{key!r}]", depth + 1) for key, member in value.items()}
    return [_plain(member, f"{path}[{index}]", depth + 1) for index, member in enumerate(value)]


def _number(value: float, path: str) -> float:
    """A plain one: an IntEnum, or a relative from NumPy, becomes its value."""
    if isinstance(value, int):
        return int(value)
    if not math.isfinite(value):
        raise _refusal(path, value, "it has no such number")
    return float(value)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise _refusal(f"{path}[{key!r}]", key, "a key must be a str")
    return _text(key, path)


def _text(text: str, path: str) -> str:
    try:
        return text.encode().decode()
    except UnicodeEncodeError as error:
        raise CallError(f"{path}: {error.object[:40]!r} is no Unicode text ({error.reason})") from error


def _refusal(path: str, value: object, hint: str) -> CallError:
    shown = repr(value) if isinstance(value, float) else type(value).__name__
    return CallError(f"{path}: {shown} cannot be JSON; {hint}")
