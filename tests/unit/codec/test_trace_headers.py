"""The headers of W3C Trace Context. What is not valid is ignored and never makes an event undecodable."""

from __future__ import annotations

import json

import pytest

from triggers.codec import EventDecoder, parse_trace, trace_headers
from triggers.core.events import Event
from triggers.core.trace_context import TraceContext

Headers = list[tuple[str, bytes | None]]

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01".encode()
OTHER = f"00-{TRACE_ID}-b7ad6b7169203331-00".encode()
SPAN = bytes.fromhex(TRACE_ID + SPAN_ID)
CLOUD_EVENT = {"specversion": "1.0", "type": "paid", "source": "/shop", "id": "a1"}
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]


def decode(headers: Headers, value: bytes = b'{"trigger": "paid"}') -> Event:
    return EventDecoder(1000).decode(value, headers, position=0, time=1)


def test_an_event_has_the_context_of_its_headers_in_any_case() -> None:
    event = decode([("Traceparent", PARENT), ("tracestate", b"a=1"), ("TraceState", b"b=2")])

    assert event.trace == TraceContext(SPAN, 1, b"a=1,b=2")
    assert event.trace.is_sampled
    assert (event.trace.trace_id.hex(), event.trace.span_id.hex()) == (TRACE_ID, SPAN_ID)


def test_the_last_of_several_contexts_counts_and_a_null_header_is_absent() -> None:
    assert decode([("traceparent", OTHER), ("traceparent", PARENT), ("traceparent", None)]).trace == TraceContext(
        SPAN, 1
    )


def test_an_event_without_headers_has_no_context() -> None:
    assert EventDecoder(1000).decode(b'{"trigger": "paid"}', None, position=0, time=1).trace is None


INVALID = {
    "text": b"hello",
    "no bytes": b"",
    "bytes that are no text": b"\xff\xfe" * 20,
    "a trace id of zeros": f"00-{'0' * 32}-{SPAN_ID}-01".encode(),
    "a span id of zeros": f"00-{TRACE_ID}-{'0' * 16}-01".encode(),
    "upper-case digits": PARENT.upper(),
    "too few digits": PARENT[:-4],
    "more fields than its version has": PARENT + b"-what",
    "the version that is forbidden": b"ff" + PARENT[2:],
    "digits of another script": PARENT.replace(b"4", "٤".encode()),
}


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID)
def test_a_context_that_is_not_valid_is_ignored(value: bytes) -> None:
    assert decode([("traceparent", value), ("tracestate", b"a=1")]).trace is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert parse_trace(b"cc" + PARENT[2:] + b"-more") == TraceContext(SPAN, 1)


@pytest.mark.parametrize("state", [b"a=" + b"x" * 600, "a=é".encode(), b"a=1\nb=2"])
def test_a_state_that_is_not_valid_is_dropped_and_the_context_kept(state: bytes) -> None:
    assert parse_trace(PARENT, state) == TraceContext(SPAN, 1)


def test_the_extension_of_a_binary_cloudevent_is_its_context() -> None:
    headers: Headers = [(f"ce_{name}", text.encode()) for name, text in CLOUD_EVENT.items()]

    event = decode([*headers, ("ce_traceparent", PARENT), ("ce_tracestate", b"a=1")], b"{}")

    assert event.trace == TraceContext(SPAN, 1, b"a=1")


def test_the_extension_of_a_structured_cloudevent_is_its_context() -> None:
    value = json.dumps(CLOUD_EVENT | {"traceparent": PARENT.decode(), "tracestate": "a=1"}).encode()

    assert decode(STRUCTURED, value).trace == TraceContext(SPAN, 1, b"a=1")


def test_the_headers_of_the_record_take_precedence_over_the_extension() -> None:
    value = json.dumps(CLOUD_EVENT | {"traceparent": OTHER.decode()}).encode()

    assert decode([*STRUCTURED, ("traceparent", PARENT)], value).trace == TraceContext(SPAN, 1)


@pytest.mark.parametrize("parent", [5, None, [], {"a": 1}, "00-1"])
def test_an_extension_of_any_other_shape_is_ignored(parent: object) -> None:
    value = json.dumps(CLOUD_EVENT | {"traceparent": parent, "tracestate": parent}).encode()

    event = decode(STRUCTURED, value)

    assert event.trace is None


def test_headers_are_written_as_they_are_read() -> None:
    trace = TraceContext(SPAN, 0, b"a=1")

    headers = trace_headers(trace)

    assert headers == [("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-00".encode()), ("tracestate", b"a=1")]
    assert decode(headers).trace == trace
    assert trace_headers(None) == []


def test_a_context_is_written_in_the_first_version_whatever_was_read_before() -> None:
    later, padded, other = (parse_trace(each) for each in (b"cc" + PARENT[2:] + b"-more", b" " + PARENT + b"\t", OTHER))

    assert [trace_headers(each) for each in (later, padded, other)] == [
        [("traceparent", each)] for each in (PARENT, PARENT, OTHER)
    ]
