"""CloudEvents on Kafka, byte by byte; tests/contract has the ones of an independent library."""

from __future__ import annotations

import json

import pytest

from triggers.codec import EventDecoder, Reason
from triggers.core.events import Event, TriggerFired
from triggers.errors import Undecodable

Headers = list[tuple[str, bytes | None]]

BINARY: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"pageReceived"),
    ("ce_source", b"/pages"),
    ("ce_id", b"a1"),
    ("ce_time", b"2024-03-01T10:20:30Z"),
    ("ce_subject", b"page 3"),
    ("content-type", b"application/json; charset=utf-8"),
    ("traceparent", b"\xff\xfe"),
]
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
ENVELOPE = {"specversion": "1.0", "type": "pageReceived", "source": "/pages", "id": "a1"}
FIRED = TriggerFired(
    position=7, time=1_709_288_430_000, recorded=5, id="/pages a1", trigger="pageReceived", kwargs=b'{"page": 3}'
)


def decode(value: bytes | None, headers: Headers) -> Event:
    return EventDecoder(1000).decode(value, headers, position=7, time=5)


def changed(**headers: bytes | None) -> Headers:
    kept = {name: value for name, value in BINARY if name.replace("-", "_") not in headers}
    return [*kept.items(), *((name.replace("content_type", "content-type"), v) for name, v in headers.items() if v)]


def structured(**members: object) -> bytes:
    return json.dumps({name: value for name, value in (ENVELOPE | members).items() if value is not None}).encode()


def test_a_binary_event_fires_its_type() -> None:
    assert decode(b'{"page": 3}', BINARY) == FIRED


def test_a_structured_event_fires_its_type() -> None:
    value = structured(time="2024-03-01T10:20:30Z", data={"page": 3}, subject="page 3", traceparent="00-1")

    assert decode(value, STRUCTURED) == FIRED


def test_the_extension_trigger_wins_over_the_type() -> None:
    for event in (
        decode(b"{}", changed(ce_type=b"com.example.page.v1", ce_trigger=b"pageReceived")),
        decode(structured(type="com.example.page.v1", trigger="pageReceived"), STRUCTURED),
    ):
        assert isinstance(event, TriggerFired)
        assert event.trigger == "pageReceived"


@pytest.mark.parametrize("value", [None, b"", b" ", b"null"])
def test_an_event_without_data_has_no_kwargs(value: bytes | None) -> None:
    event = decode(value, BINARY)

    assert isinstance(event, TriggerFired)
    assert event.kwargs == b"{}"


def test_the_same_id_of_two_sources_is_two_events() -> None:
    assert decode(b"{}", changed(ce_source=b"/a")).id != decode(b"{}", changed(ce_source=b"/b")).id


def test_data_in_base64_is_taken_as_the_json_it_is() -> None:
    event = decode(structured(data_base64="eyJwYWdlIjogM30=", datacontenttype="application/json"), STRUCTURED)

    assert isinstance(event, TriggerFired)
    assert event.kwargs == b'{"page": 3}'


def test_without_a_time_the_record_s_timestamp_counts() -> None:
    assert decode(b"{}", changed(ce_time=None)).time == 5


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        (changed(ce_type=None), b"{}", Reason.BAD_CLOUDEVENT),
        (changed(ce_id=None), b"{}", Reason.BAD_CLOUDEVENT),
        (changed(ce_source=None), b"{}", Reason.BAD_CLOUDEVENT),
        (changed(ce_specversion=b"0.3"), b"{}", Reason.BAD_CLOUDEVENT),
        (changed(ce_time=b"soon"), b"{}", Reason.BAD_CLOUDEVENT),
        (changed(ce_time=b"2024-03-01T10:20:30"), b"{}", Reason.WRONG_SHAPE),
        (changed(ce_type=b"\xff"), b"{}", Reason.BAD_CLOUDEVENT),
        (changed(ce_type=b"x" * 1025), b"{}", Reason.OUT_OF_RANGE),
        (changed(content_type=b"application/xml"), b"<page/>", Reason.CONTENT_TYPE),
        (changed(content_type=b"application/cloudevents+avro"), b"{}", Reason.CONTENT_TYPE),
        (changed(content_type=b"application/cloudevents-batch+json"), b"[]", Reason.CONTENT_TYPE),
        (BINARY, b"[]", Reason.NOT_AN_OBJECT),
        (BINARY, b"{", Reason.BAD_JSON),
        (BINARY, b'{"a": "\xff"}', Reason.BAD_JSON),
        (BINARY, b'{"a": 1, "a": 2}', Reason.DUPLICATE_KEY),
        (BINARY, b'{"a": "%s"}' % (b"x" * 1000), Reason.TOO_LARGE),
        (STRUCTURED, None, Reason.BAD_JSON),
        (STRUCTURED, b"[]", Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(id=None), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(id=""), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(data=[1]), Reason.NOT_AN_OBJECT),
        (STRUCTURED, structured(data_base64="e30"), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(data_base64="/////w=="), Reason.NOT_AN_OBJECT),
        (STRUCTURED, structured(data="<page/>", datacontenttype="text/xml"), Reason.CONTENT_TYPE),
    ],
)
def test_what_is_no_cloudevent_with_json_data_is_refused(headers: Headers, value: bytes | None, reason: Reason) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(value, headers)

    assert caught.value.reason == reason
    assert caught.value.detail


def test_headers_of_other_kinds_make_no_cloudevent() -> None:
    event = decode(b'{"trigger": "t"}', [("content-type", b"application/json"), ("traceparent", None)])

    assert event == TriggerFired(position=7, time=5, trigger="t")
