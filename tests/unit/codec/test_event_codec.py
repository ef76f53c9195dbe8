"""Events in Avro are encoded and decoded, and the decoder detects the format of a record."""

from __future__ import annotations

import json
import tracemalloc
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from triggers.codec import EventDecoder, Reason, check_event, encode_event
from triggers.codec.avro_records import AvroRecords, schema_versions
from triggers.codec.event_shapes import SHAPES, wire_name
from triggers.core.events import (
    Event,
    ReplayRequested,
    RulesPublished,
    SessionEvent,
    TaskFinished,
    TaskStarted,
    TriggerFired,
)
from triggers.errors import CallError, TooLarge, Undecodable

DECODER = EventDecoder(900_000)
FIRED = TriggerFired(position=7, time=5, trigger="t", kwargs=b'{"a": 1}')
HEAD = encode_event(FIRED)[:10]

Headers = list[tuple[str, bytes | None]]
TEXT = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=4).flatmap(
    lambda members: st.booleans().map(lambda ascii_only: json.dumps(members, ensure_ascii=ascii_only).encode())
)
BY_TYPE = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(0, 2**31 - 1),
    bytes: OBJECT,
    str | None: st.none() | TEXT,
    bytes | None: st.none() | OBJECT,
    list[str]: st.lists(TEXT, max_size=3),
}


def event_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    fields = {
        field.name: BY_TYPE[field.type]
        for field in structs.fields(kind)
        if field.name not in SessionEvent.__struct_fields__
    }
    common = {
        "position": st.just(7),
        "time": st.integers(0, 10**13),
        "id": st.none() | st.text(min_size=1, max_size=30),
        "source": st.none() | st.text(min_size=1, max_size=30),
        "rules": st.none() | st.text(min_size=1, max_size=30),
    }
    return st.builds(kind, **common, **fields)


EVENTS = st.one_of([event_of(kind) for kind in get_args(Event)])


def assert_event_or_undecodable(value: bytes, headers: Headers | None) -> None:
    try:
        outcome: object = DECODER.decode(value, headers, 7, 5)
    except Undecodable as error:
        outcome = error
    assert isinstance(outcome, Event) or (isinstance(outcome, Undecodable) and outcome.reason in set(Reason))


def as_json(event: Event) -> bytes:
    shape = SHAPES[type(event)]
    members = [f'"type":"{wire_name(type(event))}"', f'"time":{event.time}', f'"id":{json.dumps(event.id)}']
    members += [f'"source":{json.dumps(event.source)}', f'"rules":{json.dumps(event.rules)}']
    for name in shape.fields:
        value = getattr(event, name)
        raw = value.decode() if isinstance(value, bytes) else json.dumps(value)
        members.append(f'"{name}": {raw}')
    return ("{" + ", ".join(members) + "}").encode()


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_an_event_survives_encoding_and_decoding(event: Event) -> None:
    assert DECODER.decode(encode_event(event), None, 7, 0) == event


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_an_event_in_json_is_the_same_event(event: Event) -> None:
    assert DECODER.decode(as_json(event), None, 7, 0) == event


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "content-type", "other"]),
        st.none() | st.binary(max_size=10) | st.sampled_from([b"1.0", b"application/cloudevents+json", b"\xff"]),
    ),
    max_size=7,
)
STARTS = st.sampled_from(
    [b"", HEAD, b"\0\0\0\0\1", b"{", b'{"trigger":', b'{"type":"finished","result":', b" ", b"\xc3\x01"]
)


@settings(max_examples=1000, deadline=None)
@given(STARTS, st.binary(max_size=60), st.none() | HEADERS)
def test_arbitrary_bytes_are_an_event_or_undecodable(start: bytes, rest: bytes, headers: Headers | None) -> None:
    assert_event_or_undecodable(start + rest, headers)


@settings(max_examples=500, deadline=None)
@given(EVENTS, st.data())
def test_a_damaged_record_is_an_event_or_undecodable(event: Event, data: st.DataObject) -> None:
    value = bytearray(encode_event(event))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(10, len(value) - 1)) if len(value) > 10 else 9] = data.draw(st.integers(0, 255))

    assert_event_or_undecodable(bytes(value), None)


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_every_truncation_of_a_record_is_undecodable(event: Event) -> None:
    value = encode_event(event)

    for end in range(len(value)):
        with pytest.raises(Undecodable):
            DECODER.decode(value[:end], None, 7, 5)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.EMPTY_VALUE),
        (b"", Reason.EMPTY_VALUE),
        (b"hello", Reason.UNKNOWN_FORMAT),
        (b"\xff\xd8", Reason.UNKNOWN_FORMAT),
        (b"\xc3\x02" + bytes(20), Reason.UNKNOWN_FORMAT),
        (b"\xc3\x01" + bytes(20), Reason.UNKNOWN_SCHEMA),
        (b"\xc3\x01", Reason.UNKNOWN_SCHEMA),
        (encode_event(FIRED) + b"x", Reason.BAD_AVRO),
        (HEAD + b"\x00\x00\x00\x7e", Reason.BAD_AVRO),  # a branch that the union does not have
        (HEAD + b"\x02\xff\x00\x00\x00", Reason.BAD_AVRO),  # text that is not UTF-8
        (encode_event(structs.replace(FIRED, time=-1)), Reason.OUT_OF_RANGE),
        (encode_event(structs.replace(FIRED, kwargs=b"[]")), Reason.NOT_AN_OBJECT),
        (encode_event(structs.replace(FIRED, kwargs=b"")), Reason.BAD_JSON),
        (encode_event(structs.replace(FIRED, kwargs=b'{"a": NaN}')), Reason.BAD_JSON),
        (encode_event(structs.replace(FIRED, trigger="x" * 1025)), Reason.OUT_OF_RANGE),
        (encode_event(TaskStarted(instance="t#0", attempt=-5)), Reason.OUT_OF_RANGE),
        (encode_event(ReplayRequested(instance="t#0", replacement_kwargs=b"7")), Reason.NOT_AN_OBJECT),
        (encode_event(structs.replace(FIRED, kwargs=b'{"a": "%s"}' % (b"x" * 900_000))), Reason.TOO_LARGE),
    ],
)
def test_bytes_that_are_not_an_event_are_refused_with_the_reason(value: bytes | None, reason: Reason) -> None:
    with pytest.raises(Undecodable) as caught:
        DECODER.decode(value, None, 7, 5)

    assert caught.value.reason == reason


@pytest.mark.parametrize("claim", [b"\xfe\xff\xff\xff\x0f", b"\xfe" + b"\xff" * 8 + b"\x01", b"\xff" * 9 + b"\x01"])
def test_a_claim_of_gigabytes_is_not_allocated(claim: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Undecodable):
            DECODER.decode(HEAD + claim + b"some bytes", None, 7, 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_without_a_time_of_its_own_an_event_has_the_record_s() -> None:
    assert DECODER.decode(encode_event(structs.replace(FIRED, time=0)), None, 7, 99).time == 99
    assert DECODER.decode(encode_event(FIRED), None, 7, 99).time == 5
    assert DECODER.decode(b'{"trigger": "t"}', None, 7, -1).time == 0


def test_records_of_an_earlier_version_are_read_and_those_of_an_unknown_one_are_not() -> None:
    current = schema_versions("trigger_event")[0]
    grown = json.loads(current)
    grown["fields"].insert(0, {"name": "region", "type": "string", "default": "eu"})
    old, new = AvroRecords(current), AvroRecords(json.dumps(grown), current)
    record = {"id": "a1", "event": ("triggers.CloneRequested", {"instance": "t#0"})}

    assert new.decode(old.encode(record))["region"] == "eu"
    with pytest.raises(Undecodable, match="unknown schema"):
        old.decode(new.encode(record))


def test_text_that_is_not_unicode_is_refused_before_it_is_published() -> None:
    with pytest.raises(CallError, match="surrogates"):
        encode_event(TriggerFired(trigger="\ud800"))


def test_a_payload_that_a_worker_would_refuse_is_too_large_for_the_api() -> None:
    event = TaskFinished(instance="t#0", result=b'{"a": "12345"}')

    check_event(event, 14)
    with pytest.raises(TooLarge, match="result has 14 bytes; the limit is 13"):
        check_event(event, 13)


@pytest.mark.parametrize("event", [TriggerFired(trigger="x" * 1025), TaskStarted(instance="t#0", attempt=2**31)])
def test_a_name_or_number_that_a_worker_would_refuse_is_refused_by_the_api(event: Event) -> None:
    with pytest.raises(CallError, match=r"trigger is longer|attempt must be"):
        check_event(event, 1000)


def test_the_instance_of_a_task_with_the_longest_name_is_no_name_too_long() -> None:
    event = TaskStarted(position=7, time=5, instance="t" * 1024 + "#12345")

    assert DECODER.decode(encode_event(event), None, 7, 5) == event


def test_the_source_of_an_event_is_decoded_so_that_rules_can_use_it() -> None:
    value = encode_event(FIRED, source="billing")

    assert DECODER.decode(value, None, 7, 5) == structs.replace(FIRED, source="billing")


@pytest.mark.parametrize(
    "value",
    [
        b'{"trigger": "picked"}',
        encode_event(TriggerFired(trigger="picked")),
        b'{"type": "configure", "configuration": {}}',
    ],
)
def test_a_header_names_the_rules_of_the_session_that_an_event_begins_in_any_format(value: bytes) -> None:
    headers: Headers = [("triggers-rules", b"other"), ("trace", b"1"), ("triggers-rules", "Bestellung ü".encode())]

    assert DECODER.decode(value, headers, 7, 5).rules == "Bestellung ü"
    assert DECODER.decode(value, [("triggers-rules", None)], 7, 5).rules is None


def test_rules_that_the_event_itself_names_come_before_those_of_a_header() -> None:
    event = DECODER.decode(b'{"trigger": "x", "rules": "mine"}', [("triggers-rules", b"other")], 7, 5)

    assert event.rules == "mine"


@pytest.mark.parametrize(
    ("header", "reason"), [(b"\xff", Reason.BAD_HEADERS), (b"r" * 1025, Reason.OUT_OF_RANGE)], ids=["bytes", "long"]
)
def test_a_header_that_names_no_rules_is_refused(header: bytes, reason: Reason) -> None:
    with pytest.raises(Undecodable) as refusal:
        DECODER.decode(b'{"trigger": "x"}', [("triggers-rules", header)], 7, 5)

    assert refusal.value.reason == reason


def test_published_rules_are_accepted_before_publication_with_any_number_of_patterns() -> None:
    event = RulesPublished(name="order", version=1, configuration=b"{}", match=["order-*"] * 2_000)

    check_event(event, 900_000)

    assert DECODER.decode(encode_event(event), None, 0, 0) == event
