"""A payload must be a JSON object that every later reader can decode."""

from __future__ import annotations

import json

import pytest

from triggers.codec import Reason
from triggers.codec.json_payloads import MAX_DEPTH, check_payload
from triggers.errors import Undecodable


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b' {"a" : 1 } ',
        b'{"a": "b:c", "d": {"e:": ":"}}',
        b'{"a": {"x": 1}, "b": {"x": 1}}',
        b'{"\\u003a": 1, "b": "\\\\\\":"}',
        '{"é": "\\ud83d\\ude00 😀"}'.encode(),
        b'{"n": [1e300, -0.0, 123456789012345678901234567890]}',
        nested(MAX_DEPTH),
        b'{"list": [' + b",".join([b"[[]]"] * 500) + b"]}",
    ],
)
def test_every_json_object_is_a_payload(payload: bytes) -> None:
    assert isinstance(json.loads(payload), dict)
    check_payload(payload, "kwargs")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.BAD_JSON),
        (b"{", Reason.BAD_JSON),
        (b"{}x", Reason.BAD_JSON),
        (b"{'a': 1}", Reason.BAD_JSON),
        (b'{"a": NaN}', Reason.BAD_JSON),
        (b'{"a": -Infinity}', Reason.BAD_JSON),
        (b'{"a": 1e999}', Reason.BAD_JSON),
        (b'{"a": "\xff"}', Reason.BAD_JSON),
        (b'{"a": "\xed\xa0\x80"}', Reason.BAD_JSON),
        (b'{"a": "\\ud800"}', Reason.BAD_JSON),
        (b'{"a": "\\ud800 and more"}', Reason.BAD_JSON),
        (b'{"\\udc00": 1}', Reason.BAD_JSON),
        (b'{"a": "line\nbreak"}', Reason.BAD_JSON),
        (b'\xef\xbb\xbf{"a": 1}', Reason.BAD_JSON),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'"{}"', Reason.NOT_AN_OBJECT),
        (b'{"a": 1, "a": 1}', Reason.DUPLICATE_KEY),
        (b'{"a": 1, "\\u0061": 2}', Reason.DUPLICATE_KEY),
        (b'{"b": [{"a": {"c": 1, "c": 2}}]}', Reason.DUPLICATE_KEY),
        (b'{"a": 1, "a": "\\u003a"}', Reason.DUPLICATE_KEY),
        (b'{"a": "\\u003A", "b": 1, "b": 2}', Reason.DUPLICATE_KEY),
        (nested(MAX_DEPTH + 1), Reason.TOO_DEEP),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", Reason.TOO_DEEP),
        (b'{"a": ' + b"[" * 300_000 + b"]" * 300_000 + b"}", Reason.TOO_DEEP),
    ],
)
def test_a_payload_that_a_later_reader_could_not_decode_is_refused(payload: bytes, reason: Reason) -> None:
    with pytest.raises(Undecodable) as caught:
        check_payload(payload, "kwargs")

    assert caught.value.reason == reason
    assert "kwargs" in caught.value.detail


def test_a_duplicate_key_is_named() -> None:
    with pytest.raises(Undecodable, match="'page'"):
        check_payload(b'{"title": "x", "page": 1, "page": 2}', "kwargs")
