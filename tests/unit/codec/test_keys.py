"""Session UIDs are encoded as keys and decoded again."""

from __future__ import annotations

import pytest

from triggers.codec import Reason, decode_key, encode_key
from triggers.errors import CallError, Undecodable


@pytest.mark.parametrize("uid", ["a", "applicant:7/ü", "\0", "x" * 1024])
def test_a_uid_survives_its_key(uid: str) -> None:
    assert decode_key(encode_key(uid)) == uid


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"\xed\xa0\x80", b"x" * 1025])
def test_a_key_that_names_no_session_is_refused(key: bytes | None) -> None:
    with pytest.raises(Undecodable) as caught:
        decode_key(key)

    assert caught.value.reason == Reason.BAD_KEY
    assert caught.value.detail


@pytest.mark.parametrize("uid", ["", "é" * 513, "\ud800"])
def test_a_uid_that_no_worker_would_accept_is_refused_at_the_call(uid: str) -> None:
    with pytest.raises(CallError, match="session UID"):
        encode_key(uid)
