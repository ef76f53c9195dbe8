"""Reads and writes the headers of W3C Trace Context, `traceparent` and `tracestate`.

A context only describes an event. So headers that are not valid are ignored, as the specification demands, and never
make an event undecodable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from triggers.core.trace_context import TraceContext

Headers = Sequence[tuple[str, bytes | None]]

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
_NAMES: Final = frozenset({TRACEPARENT, TRACESTATE})
_MAX_STATE_BYTES: Final = 512
"""The specification lets a longer `tracestate` be dropped."""
_PARENT: Final = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.DOTALL,
)
_STATE: Final = re.compile(rb"[\x20-\x7e\t]*")
_INVALID_VERSION: Final = b"ff"
_FIRST_VERSION: Final = b"00"
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)


def read_trace(headers: Headers) -> TraceContext | None:
    """Returns the context in the headers of a record, or None. Their names may be written in any case.

    The last `traceparent` counts. Several `tracestate` are one list, as in HTTP.
    """
    parent: bytes | None = None
    states: list[bytes] = []
    for header, value in headers:
        name = header.lower()
        if value is None or name not in _NAMES:
            continue
        if name == TRACEPARENT:
            parent = value
        else:
            states.append(value)
    return parse_trace(parent, b",".join(states)) if parent is not None else None


def parse_trace(parent: bytes, state: bytes = b"") -> TraceContext | None:
    """Returns the context that the values of the two headers describe, or None if `parent` is not valid.

    A state that is not valid, or too long, is dropped.
    """
    match = _PARENT.fullmatch(parent.strip(b" \t"))
    if match is None or match["version"] == _INVALID_VERSION or (match["more"] and match["version"] == _FIRST_VERSION):
        return None
    trace_id, span_id = bytes.fromhex(match["trace"].decode()), bytes.fromhex(match["span"].decode())
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    state = state.strip(b" \t,")
    is_valid = len(state) <= _MAX_STATE_BYTES and _STATE.fullmatch(state) is not None
    return TraceContext(trace_id + span_id, int(match["flags"], 16), state if is_valid else b"")


def read_attributes(attributes: Mapping[str, object]) -> TraceContext | None:
    """Returns the context in attributes with the names of the headers, such as those of a CloudEvent, or None."""
    parent = attributes.get(TRACEPARENT)
    if not isinstance(parent, str):
        return None
    state = attributes.get(TRACESTATE)
    text = state if isinstance(state, str) else ""
    return parse_trace(parent.encode(errors="replace"), text.encode(errors="replace"))


def trace_headers(trace: TraceContext | None) -> list[tuple[str, bytes | None]]:
    """Returns the headers that describe a context; none for None."""
    if trace is None:
        return []
    headers: list[tuple[str, bytes | None]] = [(TRACEPARENT, format_parent(trace).encode())]
    if trace.state:
        headers.append((TRACESTATE, trace.state))
    return headers


def trace_attributes(trace: TraceContext | None) -> dict[str, str]:
    """Returns the same as text, for messages whose headers are text."""
    return {name: value.decode() for name, value in trace_headers(trace) if value is not None}


def format_parent(trace: TraceContext) -> str:
    """Returns the value of `traceparent`."""
    return f"00-{trace.trace_id.hex()}-{trace.span_id.hex()}-{trace.flags:02x}"
