"""The span in which an event was published. It is recorded beside the state, and no decision depends on it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

SPAN_BYTES: Final = 24
_TRACE_ID_BYTES: Final = 16
SAMPLED: Final = 1
"""Flag of a context whose producer records the trace."""


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
