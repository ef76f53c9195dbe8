"""Finds the headers that describe an event in any format, in one pass."""

from __future__ import annotations

from typing import Final

from triggers.codec.trace_headers import TRACEPARENT, TRACESTATE, Headers, parse_trace
from triggers.core.trace_context import TraceContext

RULES_HEADER: Final = "triggers-rules"
"""Header that names the published rules of the session that an event begins, for records in any format."""
_TRACEPARENT_LENGTH: Final = len(TRACEPARENT)
_TRACESTATE_LENGTH: Final = len(TRACESTATE)


def read_headers(headers: Headers) -> tuple[TraceContext | None, bytes, bool]:
    """Returns the context of a record's headers or None, the value of `RULES_HEADER`, and if it may be a CloudEvent.

    The names of the context's headers may be written in any case. The last `traceparent` and the last `RULES_HEADER`
    count. Several `tracestate` are one list, as in HTTP. The headers that make a CloudEvent begin with `ce_` or are
    `content-type`.
    """
    parent: bytes | None = None
    states: list[bytes] | None = None
    rules = b""
    may_be_cloudevent = False
    for name, value in headers:
        length = len(name)
        if length == _TRACEPARENT_LENGTH and (name == TRACEPARENT or name.lower() == TRACEPARENT):
            parent = parent if value is None else value
        elif length == _TRACESTATE_LENGTH and name.lower() == TRACESTATE:
            if value is not None:
                if states is None:
                    states = []
                states.append(value)
        elif name == RULES_HEADER:
            rules = value or b""
        elif name.startswith(("c", "C")):
            may_be_cloudevent = True
    trace = None if parent is None else parse_trace(parent, b",".join(states) if states else b"")
    return trace, rules, may_be_cloudevent


def read_trace(headers: Headers) -> TraceContext | None:
    """Returns the context in the headers of a record, or None."""
    return read_headers(headers)[0]
