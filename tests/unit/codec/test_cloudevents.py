"""CloudEvents on Kafka, byte by byte. tests/contract has events that an independent library encoded."""

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
    position=7,
    time=1_709_288_430_000,
    recorded=5,
    id="/pages a1",
    source="/pages",
    trigger="pageReceived",
    kwargs=b'{"page": 3}',
)


def decode(value: bytes | None, headers: Headers) -> Event:
    return EventDecoder(1000).decode(value, headers, position=7, time=5)


def changed(**headers: bytes | None) -> Headers:
    others = {name: value for name, value in BINARY if name.replace("-", "_") not in headers}
    return [*others.items(), *((name.replace("content_type", "content-type"), v) for name, v in headers.items() if v)]


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


def test_the_extension_triggersrules_names_the_rules_of_a_new_session() -> None:
    assert decode(b"{}", changed(ce_triggersrules=b"order")).rules == "order"
    assert decode(structured(triggersrules="order"), STRUCTURED).rules == "order"
    assert decode(b"{}", [*BINARY, ("triggers-rules", b"order")]).rules == "order"


@pytest.mark.parametrize("value", [None, b"", b" ", b"null"])
def test_an_event_without_data_has_no_kwargs(value: bytes | None) -> None:
    event = decode(value, BINARY)

    assert isinstance(event, TriggerFired)
    assert event.kwargs == b"{}"


def test_equal_ids_of_two_sources_are_different_events() -> None:
    assert decode(b"{}", changed(ce_source=b"/a")).id != decode(b"{}", changed(ce_source=b"/b")).id


def test_data_in_base64_is_decoded_as_json() -> None:
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
        (changed(content_type=b"\xff"), b"{}", Reason.BAD_CLOUDEVENT),
        ([*BINARY, ("ce_type", b"")], b"{}", Reason.BAD_CLOUDEVENT),
        ([*BINARY, ("ce_trigger", b"")], b"{}", Reason.BAD_CLOUDEVENT),
        ([*BINARY, ("ce_time", b"")], b"{}", Reason.BAD_CLOUDEVENT),
        ([*BINARY, ("ce_type", None)], b"{}", Reason.BAD_CLOUDEVENT),
        ([*BINARY, ("ce_specversion", None)], b'{"trigger": "another"}', Reason.BAD_CLOUDEVENT),
        ([("ce-specversion", b"1.0"), ("ce-type", b"a")], b'{"trigger": "another"}', Reason.BAD_CLOUDEVENT),
        (changed(content_type=b"application/json; charset=utf-16"), b"{}", Reason.CONTENT_TYPE),
        ([("content-type", b"application/cloudevents+json; charset=latin1")], structured(), Reason.CONTENT_TYPE),
        ([*changed(content_type=None), ("ce_datacontenttype", b"text/xml")], b"{}", Reason.CONTENT_TYPE),
        ([("Content-Type", b"Application/CloudEvents-Batch+JSON")], b"[]", Reason.CONTENT_TYPE),
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
        (STRUCTURED, structured(trigger=""), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(trigger=5), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(trigger=True), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(specversion=1.0), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(time=1_709_288_430), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(data={}, data_base64="e30="), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(data_base64=5), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(data=[1]), Reason.NOT_AN_OBJECT),
        (STRUCTURED, structured(data_base64="e30"), Reason.BAD_CLOUDEVENT),
        (STRUCTURED, structured(data_base64="/////w=="), Reason.NOT_AN_OBJECT),
        (STRUCTURED, structured(data="<page/>", datacontenttype="text/xml"), Reason.CONTENT_TYPE),
    ],
)
def test_a_malformed_cloudevent_is_refused_with_the_reason(
    headers: Headers, value: bytes | None, reason: Reason
) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(value, headers)

    assert caught.value.reason == reason
    assert caught.value.detail


@pytest.mark.parametrize("name", ["ce_trigger", "ce_dataschema", "ce_subject", "ce_tenant", "ce_", "CE_Trigger"])
def test_a_null_header_is_an_absent_attribute(name: str) -> None:
    assert decode(b'{"page": 3}', [*BINARY, (name, None)]) == FIRED


@pytest.mark.parametrize("name", ["trigger", "time", "subject", "datacontenttype", "data", "data_base64", "tenant"])
def test_a_null_member_is_an_absent_attribute(name: str) -> None:
    value = json.dumps(ENVELOPE | {name: None}).encode()

    assert decode(value, STRUCTURED) == decode(json.dumps(ENVELOPE).encode(), STRUCTURED)


@pytest.mark.parametrize(
    "content_type", [None, b"", b"Application/JSON", b"text/json", b"application/vnd.page.v2+json"]
)
def test_json_data_is_recognised_by_any_of_its_media_types(content_type: bytes | None) -> None:
    headers = [*changed(content_type=None), ("Content-Type", content_type)]

    assert decode(b'{"page": 3}', headers) == FIRED


@pytest.mark.parametrize(
    "value", [b"Application/CloudEvents+JSON; charset=UTF-8", b' application/cloudevents+json;charset="utf-8"']
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_a_structured_event_is_recognised_in_any_case(name: str, value: bytes) -> None:
    assert decode(structured(time="2024-03-01T10:20:30Z", data={"page": 3}), [(name, value)]) == FIRED


def test_names_of_headers_are_the_same_in_any_case() -> None:
    assert decode(b'{"page": 3}', [(name.title(), value) for name, value in BINARY]) == FIRED


@pytest.mark.parametrize("earlier", [b"other", b"\xff", b"", None])
def test_the_last_one_of_a_repeated_header_counts(earlier: bytes | None) -> None:
    assert decode(b'{"page": 3}', [("ce_type", earlier), ("CE_TYPE", earlier), *BINARY]) == FIRED


def test_a_last_header_without_a_value_takes_the_attribute_away() -> None:
    assert decode(b'{"page": 3}', [("ce_trigger", b"other"), *BINARY, ("ce_trigger", None)]) == FIRED


def test_the_structured_event_counts_where_its_headers_say_something_else() -> None:
    value = structured(time="2024-03-01T10:20:30Z", data={"page": 3})

    assert decode(value, [*changed(content_type=None, ce_type=b"other"), *STRUCTURED]) == FIRED


def test_headers_that_are_all_null_make_no_cloudevent() -> None:
    nulls: Headers = [(name, None) for name, _ in BINARY]

    assert decode(b'{"trigger": "t"}', nulls) == TriggerFired(position=7, time=5, trigger="t")


def test_a_schema_s_id_in_a_header_is_refused_and_not_read_as_one_in_the_value() -> None:
    headers: Headers = [("__value_schema_id", b"\1" + b"\0" * 16)]
    with pytest.raises(Undecodable) as caught:
        decode(b"\0\0\0\0\1abc", headers)

    assert caught.value.reason == Reason.UNKNOWN_FORMAT
    assert decode(b'{"trigger": "t"}', headers) == TriggerFired(position=7, time=5, trigger="t")


def test_headers_of_other_kinds_make_no_cloudevent() -> None:
    event = decode(b'{"trigger": "t"}', [("content-type", b"application/json"), ("traceparent", None)])

    assert event == TriggerFired(position=7, time=5, trigger="t")
