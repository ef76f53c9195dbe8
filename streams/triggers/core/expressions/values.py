"""JSON to CEL's values and back, and CEL's equality."""

from __future__ import annotations

import math
import re
from hashlib import blake2b
from typing import Final

import msgspec

from triggers.core.expressions.failure import ExpressionFailed

_decode: Final = msgspec.json.Decoder().decode
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_LONGEST_KEY: Final = 16


def decode_value(text: bytes) -> object:
    """Decodes JSON: integers that fit 64 bits are `int`, other numbers `double`. Raises ExpressionFailed."""
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExpressionFailed(f"it is not readable JSON: {error}") from error
    return _with_doubles(value) if _LONG_NUMBER.search(text) else value


def decode_members(text: bytes, names: frozenset[str]) -> dict[str, object]:
    """Decodes only those members of a JSON object. Raises ExpressionFailed."""
    try:
        members = _decode_members(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExpressionFailed(f"it is not a readable JSON object: {error}") from error
    return {name: decode_value(bytes(members[name])) for name in names if name in members}


def _with_doubles(value: object) -> object:
    match value:
        case bool():
            return value
        case int():
            return value if _SMALLEST <= value <= _LARGEST else float(value)
        case list():
            return [_with_doubles(item) for item in value]
        case dict():
            return {name: _with_doubles(item) for name, item in value.items()}
        case _:
            return value


def encode_value(value: object) -> bytes:
    """Encodes a result as JSON. Raises ExpressionFailed for bytes, NaN and keys that are not text."""
    _require_json(value)
    return _encode(value)


def _require_json(value: object) -> None:
    match value:
        case None | bool() | int() | str():
            return
        case float() if math.isfinite(value):
            return
        case list():
            for item in value:
                _require_json(item)
        case dict():
            for name, item in value.items():
                if not isinstance(name, str):
                    raise ExpressionFailed(f"JSON has no key {name!r:.80}: keys are texts")
                _require_json(item)
        case _:
            raise ExpressionFailed(f"JSON cannot express {value!r:.80}")


def equality_key(value: object) -> bytes:
    """Returns a key that two values share exactly if CEL says that they are equal.

    Numbers are equal by value whatever their type; a boolean is no number. Raises ExpressionFailed for NaN, which is
    not even equal to itself.
    """
    key = _key(value).encode(errors="surrogatepass")
    return key if len(key) <= _LONGEST_KEY else blake2b(key, digest_size=_LONGEST_KEY).digest()


def _key(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join([_key(item) for item in value])}]"
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{_key(name)}={_key(item)}" for name, item in value.items())) + "}"
    return _key_of_scalar(value)


def _key_of_scalar(value: object) -> str:
    match value:
        case None | bool():
            return f"{value}"
        case int():
            return f"n{value}"
        case float():
            return _key_of_double(value)
        case str():
            return f"s{len(value)}:{value}"
        case _:
            return f"{type(value).__name__}:{value!r}"


def _key_of_double(value: float) -> str:
    if math.isnan(value):
        raise ExpressionFailed("NaN equals nothing, not even itself")
    return f"n{int(value)}" if math.isfinite(value) and value.is_integer() else f"n{value!r}"
