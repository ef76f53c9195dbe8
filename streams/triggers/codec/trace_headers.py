"""Reads and writes the headers of W3C Trace Context, `traceparent` and `tracestate`.

A context only describes an event. So headers that are not valid are ignored, as the specification demands, and never
make an event undecodable.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from typing import Final

from triggers.core.trace_context import TraceContext

Headers = Sequence[tuple[str, bytes | None]]

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
_MAX_STATE_BYTES: Final = 512
"""The specification lets a longer `tracestate` be dropped."""
_STATE_BYTES: Final = bytes([*b"\t", *range(0x20, 0x7F)])
_FORM: Final = b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00"
"""A `traceparent` whose digits are all `0`: version, id of the trace, id of the span, flags."""
_AS_ZERO: Final = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
_LENGTH: Final = len(_FORM)
_FIRST_VERSION: Final = b"00"
_INVALID_VERSION: Final = b"ff"
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_DIGITS: Final = bytes(max(b"0123456789abcdef".find(byte), 0) for byte in range(256))
"""Byte -> the hexadecimal digit that it stands for."""
_FLAGS: Final = [f"-{flags:02x}" for flags in range(256)]
_TRACE_CONTEXT: Final = TraceContext  # a final name is not looked up, which would take 130 instructions
_unhexlify: Final = unhexlify


class _LastRead:
    """Remembers the context that was read last, and its text.

    A worker passes most contexts on before it reads another one, and writes the same text then.
    """

    __slots__ = ("context",)

    def __init__(self) -> None:
        self.context: tuple[TraceContext, bytes] | None = None
        """One tuple, so that other threads see both or neither."""


_LAST: Final = _LastRead()


def parse_trace(parent: bytes, state: bytes = b"") -> TraceContext | None:
    """Returns the context that the values of the two headers describe, or None if `parent` is not valid.

    A state that is not valid, or too long, is dropped. All fields of a `traceparent` have fixed lengths, so it is
    compared with a form, which costs compiled code less than a regular expression.
    """
    fields = parent
    if len(parent) != _LENGTH:
        parent = parent.strip(b" \t")
        fields = parent[:_LENGTH]
    if fields.translate(_AS_ZERO) != _FORM or fields.startswith(_INVALID_VERSION):
        return None
    is_first = fields.startswith(_FIRST_VERSION)
    if len(parent) > _LENGTH and (is_first or not parent.startswith(b"-", _LENGTH)):
        return None
    span = _unhexlify(fields[3:35] + fields[36:52])
    if span.startswith(_NO_TRACE) or span.endswith(_NO_SPAN):
        return None
    flags = _DIGITS[fields[53]] << 4 | _DIGITS[fields[54]]
    trace = _TRACE_CONTEXT(span, flags, _valid_state(state) if state else state)
    if is_first:
        _LAST.context = (trace, fields)
    return trace


def _valid_state(state: bytes) -> bytes:
    """Returns the list of a `tracestate`, or empty bytes if it is not valid or too long."""
    state = state.strip(b" \t,")
    return state if len(state) <= _MAX_STATE_BYTES and not state.translate(None, _STATE_BYTES) else b""


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
    last = _LAST.context
    parent = last[1] if last is not None and last[0] is trace else format_parent(trace).encode()
    headers: list[tuple[str, bytes | None]] = [(TRACEPARENT, parent)]
    if state := trace.state:
        headers.append((TRACESTATE, state))
    return headers


def trace_attributes(trace: TraceContext | None) -> dict[str, str]:
    """Returns the same as text, for messages whose headers are text."""
    return {name: value.decode() for name, value in trace_headers(trace) if value is not None}


def format_parent(trace: TraceContext) -> str:
    """Returns the value of `traceparent`."""
    ids = trace.span.hex()
    return f"00-{ids[:32]}-{ids[32:]}{_FLAGS[trace.flags & 0xFF]}"
