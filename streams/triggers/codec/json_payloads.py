"""Checks that a JSON payload is an object that every later reader can decode, before the engine stores it.

A payload is passed on as the bytes that its producer wrote. It is decoded here only to be checked, and decoded again
where a rule or a task needs it. So everything that could fail there must fail here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

MAX_DEPTH: Final = 128
"""Maximum depth of nesting. It is fixed, so that it does not depend on how much stack a process has left."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def check_payload(payload: bytes, name: str) -> None:
    """Raises Undecodable unless the payload is a valid JSON object. The message calls it `name`."""
    if payload == b"{}":
        return
    if type(check_json(payload, name)) is not dict:
        refuse_non_object(payload, name)


def check_json(text: bytes, name: str) -> object:
    """Returns the decoded text. Raises Undecodable if it is not JSON, is nested too deep or has a duplicate key."""
    tree, _ = check_form(text, name)
    return tree


def check_form(text: bytes, name: str) -> tuple[object, bool]:
    """Returns the decoded text and whether msgspec would write the same bytes for it. Raises as `check_json` does."""
    try:
        tree = _decode(text)
        encoded = _encode(tree)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(Reason.BAD_JSON, f"{name}: {error}") from error
    except RecursionError as error:
        raise Undecodable(Reason.TOO_DEEP, f"{name}: nested deeper than {MAX_DEPTH}") from error
    if len(text) >= 2 * MAX_DEPTH:
        _check_depth(text, tree, name)
    is_same = encoded == text
    if not is_same and not _same_keys(text, encoded):
        _check_keys(text, name)
    return tree, is_same


def refuse_non_object(payload: bytes, name: str) -> NoReturn:
    """Raises the Undecodable of a payload that is not an object."""
    raise Undecodable(Reason.NOT_AN_OBJECT, f"{name} must be a JSON object, not {payload[:40]!r}")


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


def _same_keys(text: bytes, encoded: bytes) -> bool:
    """Returns True only if the text has no duplicate key, by counting colons in it and in its encoded tree.

    A duplicate key is decoded once, so one colon is missing. An escaped colon could make up for it, so the function
    returns False for texts that may contain one.
    """
    return (b"\\" not in text or b"\\u003" not in text) and text.count(b":") == encoded.count(b":")


def _check_keys(text: bytes, name: str) -> None:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [key for key, _ in pairs]
            raise Undecodable(Reason.DUPLICATE_KEY, f"{name}: {next(k for k in names if names.count(k) > 1)!r}")
        return members

    json.loads(text.decode(), object_pairs_hook=unique, parse_int=str)
