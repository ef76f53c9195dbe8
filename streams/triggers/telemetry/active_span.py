"""A span of the running code, made with OpenTelemetry's API alone: whoever has configured an SDK exports it.

Import it only if the API is installed.
"""

from __future__ import annotations

from contextvars import Token
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from triggers.core.trace_context import TraceContext
from triggers.telemetry.current_trace import context_of, current_trace
from triggers.telemetry.spans import Attributes, Kind

SCOPE: Final = "triggers"


class ActiveSpan:
    """A span of the application's tracer provider that is the current one of its thread until `leave` or `end`."""

    def __init__(self, name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes) -> None:
        """Without a `parent`, the span continues the current one. The provider samples it as its parent is sampled."""
        if parent is None and not trace.get_current_span().get_span_context().is_valid:
            parent = current_trace()
        above = None if parent is None else context_under(parent, is_remote=True)
        tracer = trace.get_tracer(SCOPE)
        self._span = tracer.start_span(name, above, SpanKind[kind.value], attributes)
        self._token: Token[Context] | None = context.attach(trace.set_span_in_context(self._span, above))

    @property
    def trace(self) -> TraceContext | None:
        """Its context, which others continue."""
        return context_of(self._span)

    def set_attribute(self, name: str, value: str | int | bool) -> None:
        """Adds an attribute, or replaces it."""
        self._span.set_attribute(name, value)

    def record_error(self, error: BaseException) -> None:
        """Records the exception because of which the span fails."""
        self._span.record_exception(error)
        self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def leave(self) -> None:
        """Makes the previous span the current one again. Call it in the thread that started this one. Idempotent."""
        if self._token is not None:
            context.detach(self._token)
            self._token = None

    def end(self) -> None:
        """Ends the span. Call it in the thread that started it, or after `leave` in any thread."""
        self.leave()
        self._span.end()


def context_under(parent: TraceContext, *, is_remote: bool) -> Context:
    """Returns the context of OpenTelemetry in which a span begins below `parent`."""
    return trace.set_span_in_context(NonRecordingSpan(span_context(parent, is_remote=is_remote)), Context())


def span_context(of: TraceContext, *, is_remote: bool) -> SpanContext:
    """Returns the same context as OpenTelemetry's class."""
    return SpanContext(
        int.from_bytes(of.trace_id),
        int.from_bytes(of.span_id),
        is_remote,
        TraceFlags(of.flags),
        TraceState.from_header([of.state.decode()]) if of.state else None,
    )
