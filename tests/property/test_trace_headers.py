"""The headers of a trace are read as W3C's grammar says, which is a regular expression here."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from triggers.codec import parse_trace, read_trace, trace_headers
from triggers.core.trace_context import TraceContext

Headers = list[tuple[str, bytes | None]]

GRAMMAR = re.compile(
    rb"[ \t]*(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*?)?[ \t]*",
    re.DOTALL,
)
STATE = re.compile(rb"[\t -~]{1,512}")


def numbers(digits: int) -> st.SearchStrategy[str]:
    """Returns numbers with many zeros among them, because an id of zeros is not valid."""
    return st.one_of(st.just("0" * digits), st.text("0123456789abcdef", min_size=digits, max_size=digits))


versions = st.one_of(st.sampled_from(["00", "01", "ff"]), numbers(2))
endings = st.one_of(st.just(""), st.just("-"), st.text("-0 \tx\n", max_size=4))
well_formed = st.builds("{}-{}-{}-{}{}".format, versions, numbers(32), numbers(16), numbers(2), endings).map(str.encode)
other_bytes = st.one_of(
    st.sampled_from([b"-", b"0", b"F", b"g", b" ", b"\t", b"\n", b"\xff", b""]), st.binary(max_size=2)
)


@st.composite
def parents(draw: st.DrawFn) -> bytes:
    """Draws a `traceparent` in which a few bytes may be replaced, removed or inserted."""
    parent = draw(st.one_of(well_formed, well_formed, st.binary(max_size=60)))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(parent)))
        parent = parent[:start] + draw(other_bytes) + parent[start + draw(st.integers(0, 2)) :]
    return parent


def parse_by_grammar(parent: bytes, state: bytes) -> TraceContext | None:
    match = GRAMMAR.fullmatch(parent)
    if match is None or (match["version"] == b"00" and match["more"]):
        return None
    state = state.strip(b" \t,")
    ids = bytes.fromhex(f"{match['trace'].decode()}{match['span'].decode()}")
    return TraceContext(ids, int(match["flags"], 16), state if STATE.fullmatch(state) else b"")


@given(parents(), st.one_of(st.just(b""), st.binary(max_size=8), st.binary(min_size=505, max_size=520)))
@example(b"\t00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01 ", b",a=1\t, ")
@example(b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01", b"a" * 512)
@example(b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01", b"a" * 513)
def test_a_context_is_read_as_the_grammar_says(parent: bytes, state: bytes) -> None:
    assert parse_trace(parent, state) == parse_by_grammar(parent, state)


@given(well_formed, st.data())
def test_a_context_of_which_one_byte_is_changed_is_read_as_the_grammar_says(parent: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(parent) - 1))

    for byte in range(256):
        changed = parent[:at] + bytes([byte]) + parent[at + 1 :]
        assert parse_trace(changed) == parse_by_grammar(changed, b"")


names = st.sampled_from(["traceparent", "TraceParent", "tracestate", "TRACESTATE", "traceparens", "trace", "ce_id"])
values = st.one_of(st.none(), well_formed, st.sampled_from([b"", b"a=1", b"b=2", b" ,"]))


@given(st.lists(st.tuples(names, values), max_size=6))
def test_the_last_parent_counts_and_states_are_one_list(headers: Headers) -> None:
    present = [(name.lower(), value) for name, value in headers if value is not None]
    contexts = [value for name, value in present if name == "traceparent"]
    states = [value for name, value in present if name == "tracestate"]

    assert read_trace(headers) == (parse_by_grammar(contexts[-1], b",".join(states)) if contexts else None)


@given(st.binary(min_size=24, max_size=24), st.integers(0, 255), st.sampled_from([b"", b"a=1", b"a=1,b=2"]))
def test_a_context_is_read_as_it_is_written(span: bytes, flags: int, state: bytes) -> None:
    trace = TraceContext(span, flags, state)
    is_valid = any(trace.trace_id) and any(trace.span_id)

    assert read_trace(trace_headers(trace)) == (trace if is_valid else None)


@given(parents(), well_formed)
def test_a_context_that_was_read_is_written_in_the_first_version(parent: bytes, other: bytes) -> None:
    for each in (parent, other):
        trace = parse_trace(each)
        if trace is not None:
            written = f"00-{trace.trace_id.hex()}-{trace.span_id.hex()}-{trace.flags:02x}".encode()
            assert trace_headers(trace) == [("traceparent", written)]
            parse_trace(other)
            assert trace_headers(trace) == [("traceparent", written)]
