"""The trace that the running code belongs to: OpenTelemetry's if its libraries are loaded, otherwise what we follow.

OpenTelemetry is never imported here. If no other code of the process has imported it, there is no span of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Final

from triggers.core.trace_context import TraceContext

_API: Final = "opentelemetry.trace"
_followed: ContextVar[TraceContext | None] = ContextVar("triggers_trace", default=None)


def current_trace() -> TraceContext | None:
    """Returns the context that an event published here continues, or None."""
    api = sys.modules.get(_API)
    return (api and context_of(api.get_current_span())) or _followed.get()


def context_of(span: Any) -> TraceContext | None:  # noqa: ANN401  # a span of OpenTelemetry, which may not be installed
    """Returns the context of an OpenTelemetry span, or None if it has no valid one."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    ids = context.trace_id.to_bytes(16) + context.span_id.to_bytes(8)
    return TraceContext(ids, int(context.trace_flags), context.trace_state.to_header().encode())


def follow(trace: TraceContext | None) -> Token[TraceContext | None] | None:
    """Makes what this thread or task publishes belong to a trace. Returns what `unfollow` needs.

    With None, an earlier trace is no longer followed.
    """
    if trace is None and _followed.get() is None:
        return None
    return _followed.set(trace)


def unfollow(token: Token[TraceContext | None] | None) -> None:
    """Undoes `follow`."""
    if token is not None:
        _followed.reset(token)


@contextmanager
def following(trace: TraceContext | None) -> Iterator[None]:
    """Follows a trace inside of the block."""
    token = follow(trace)
    try:
        yield
    finally:
        unfollow(token)
