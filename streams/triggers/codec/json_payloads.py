"""What a JSON payload must be before the engine may keep it: an object that every later reader can decode.

A payload travels as the bytes its producer wrote. It is decoded here once, thrown away, and again where a rule or a
task needs it; so whatever would fail there must fail here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

MAX_DEPTH: Final = 128
"""Deepest nesting. Fixed, so that it does not depend on how much stack a process has left."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def check_payload(payload: bytes, name: str) -> None:
    """Raise Undecodable unless the payload is a JSON object; `name` is for the message."""
    if payload == b"{}":
        return
    if type(check_json(payload, name)) is not dict:
        refuse_non_object(payload, name)


def check_json(text: bytes, name: str) -> object:
    """The decoded text; raises Undecodable for what is no JSON, is too deep or has a key twice."""
    try:
        tree = _decode(text)
        again = _encode(tree)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(Reason.BAD_JSON, f"{name}: {error}") from error
    except RecursionError as error:
        raise Undecodable(Reason.TOO_DEEP, f"{name}: nested deeper than {MAX_DEPTH}") from error
    if len(text) >= 2 * MAX_DEPTH:
        _check_depth(text, tree, name)
    if again != text and not _same_keys(text, again):
        _check_keys(text, name)
    return tree


def refuse_non_object(payload: bytes, name: str) -> NoReturn:
    """Raise the Undecodable of a payload that is not an object."""
    raise Undecodable(Reason.NOT_AN_OBJECT, f"{name} must be a JSON object, it is {payload[:40]!r}")


def _check_depth(text: bytes, tree: object, name: str) -> None:
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
    if level:
        raise Undecodable(Reason.TOO_DEEP, f"{name}: nested deeper than {MAX_DEPTH}")


def _children(node: object) -> Iterator[object]:
    members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return (member for member in members if isinstance(member, (dict, list)))


def _same_keys(text: bytes, again: bytes) -> bool:
    """A key that stands twice is decoded once: its colon is missing in what was encoded again.

    An escaped colon would make up for it, so texts with one are not decided here.
    """
    return (b"\\" not in text or b"\\u003" not in text) and text.count(b":") == again.count(b":")


def _check_keys(text: bytes, name: str) -> None:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [key for key, _ in pairs]
            raise Undecodable(Reason.DUPLICATE_KEY, f"{name}: {next(k for k in names if names.count(k) > 1)!r}")
        return members

    json.loads(text.decode(), object_pairs_hook=unique, parse_int=str)
