"""The rows of headers: each field comes back, also beside spans and from rows that have more elements."""

from __future__ import annotations

from dataclasses import fields

import msgspec
import pytest

from triggers.core.state.header import Header
from triggers.core.state.header_codec import add_spans_to_header, decode_header, encode_header, read_spans
from triggers.core.state.header_parts import Cohort, Edition2Part, RuleBinding, TaskState
from triggers.core.state.latest import record_of_kwargs

NAMES = [each.name for each in fields(Header)]
FULL = Header(
    configuration=b"configuration",
    tasks={"t": TaskState(8, 6, [Cohort(["a"], ["u"], {"a": 1}, [0, 5], {"+a": [7, -3]})])},
    tasks_spilled=True,
    latest={"a": record_of_kwargs((5, 2), b"{}")},
    latest_spilled=True,
    payloads=1,
    instances=2,
    unresolved=3,
    created=4,
    modified=5,
    events=6,
    tail=[7, 70_000],
    chunks=8,
    ids=b"ids",
    id_chunks=9,
    last=10,
    wake=1 << 41,
    deleted=True,
    sweeping=True,
    past_attempts=11,
    clock=1 << 42,
    edition_2=Edition2Part(12, finalized=True),
    published=RuleBinding("order", 3, ["t"]),
)
"""A header without a default."""


def test_every_field_comes_back() -> None:
    empty = Header()

    assert [name for name in NAMES if getattr(FULL, name) == getattr(empty, name)] == []
    assert decode_header(encode_header(FULL)) == FULL
    assert decode_header(encode_header(empty)) == empty


@pytest.mark.parametrize("header", [FULL, Header()])
def test_fields_are_stored_in_their_order_after_the_version(header: Header) -> None:
    stored = msgspec.msgpack.decode(encode_header(header))

    assert stored[0] == 5
    assert stored[1:] == msgspec.to_builtins([getattr(header, name) for name in NAMES], builtin_types=(bytes,))


def test_spans_beside_the_fields_change_none_of_them() -> None:
    spans = {"a": [(1, b"span")]}
    row = add_spans_to_header(encode_header(FULL), spans)

    assert decode_header(row) == FULL
    assert list(read_spans(row)) == ["a"]


def test_what_a_later_release_adds_at_the_end_is_ignored() -> None:
    stored = msgspec.msgpack.decode(encode_header(FULL))

    assert decode_header(msgspec.msgpack.encode([*stored, None, "new"])) == FULL
