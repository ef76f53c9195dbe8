"""The span in which an event was published. It is recorded beside the state, and no decision depends on it.

A span is stored as 24 bytes: the id of its trace and its own. Spans that are stored together are joined to one value,
so that what has none is one empty field, which rows leave out.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

SPAN_BYTES: Final = 24
_TRACE_ID_BYTES: Final = 16
MAX_SPANS: Final = 16
"""Maximum number of spans that an instance keeps. The latest are kept."""
SAMPLED: Final = 1


class TraceContext(Struct, frozen=True, gc=False):
    """The context of W3C's headers `traceparent` and `tracestate`."""

    span: bytes
    """The trace's id and the span's, 24 bytes."""
    flags: int = 0
    state: bytes = b""
    """The value of `tracestate`, or empty."""

    @property
    def is_sampled(self) -> bool:
        """True if the producer records the trace. Everyone else follows its decision."""
        return bool(self.flags & SAMPLED)

    @property
    def trace_id(self) -> bytes:
        """The 16 bytes of the trace's id."""
        return self.span[:_TRACE_ID_BYTES]

    @property
    def span_id(self) -> bytes:
        """The 8 bytes of the span's id."""
        return self.span[_TRACE_ID_BYTES:]


def sampled_span(trace: TraceContext | None) -> bytes:
    """Returns the span of a sampled context, or empty bytes."""
    return trace.span if trace is not None and trace.is_sampled else b""


def add_spans(spans: bytes, added: bytes) -> bytes:
    """Returns the joined spans without duplicates, in order; of more than `MAX_SPANS`, the latest."""
    if not added:
        return spans
    distinct = dict.fromkeys(split_spans(spans) + split_spans(added))
    return b"".join(list(distinct)[-MAX_SPANS:])


def split_spans(spans: bytes) -> list[bytes]:
    """Returns the single spans of joined ones."""
    return [spans[start : start + SPAN_BYTES] for start in range(0, len(spans), SPAN_BYTES)]
