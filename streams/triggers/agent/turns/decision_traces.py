"""Passes the trace of an event on to the records that it causes, and makes the spans of its decision.

A decision depends on no trace. The headers of its records do, and they follow from the log as well: the ids of spans
are digests of the coordinates of the event. So a batch that is decided again causes the same records, and the broker's
transaction decides which of its spans there are.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from triggers.codec import trace_headers
from triggers.codec.event_shapes import wire_name
from triggers.core.commands import ForwardTrigger, RunTask
from triggers.core.decision import Decision
from triggers.core.events import Event, TaskEvent, TimerFired, TriggerFired
from triggers.core.joined_spans import split_spans
from triggers.core.trace_context import SAMPLED, SPAN_BYTES, TraceContext
from triggers.kafka.records import Header, Record, or_minus_one, timestamp_ms
from triggers.telemetry.spans import Kind, Span, messaging_attributes, sending_attributes

_NO_SPANS: Final[list[Span]] = []
"""Shared by all decisions without spans, and never changed."""
_RANDOM_TRACE_ID: Final = 2
"""Flag of W3C's second level, which says that the bits of the trace's id are evenly distributed."""


class TracedDecision:
    """The trace of one decision. Its headers are those of the records that the decision causes."""

    __slots__ = ("_coordinates", "_started_ns", "context", "spans")

    def __init__(self, context: TraceContext) -> None:
        """`context` is what everything continues, unless spans are exported."""
        self.context = context
        self.spans = _NO_SPANS
        """Spans to export once the decision is committed; the first one is the decision's own. Empty if the context is
        only passed on."""
        self._coordinates = ""
        self._started_ns = 0

    def add_decision(self, parent: TraceContext | None, uid: str, record: Record, event: Event) -> Span:
        """Adds the span of the decision itself, which the other spans have as their parent."""
        topic = record.topic() or ""
        self._coordinates = f"{topic}/{or_minus_one(record.partition())}/{or_minus_one(record.offset())}"
        self._started_ns = time.time_ns()
        self.spans = []
        name = event.trigger if isinstance(event, TriggerFired) else wire_name(type(event))
        span = self._span(f"decide {name}", Kind.CONSUMER, "decide", parent)
        span.is_parent_remote = parent is not None
        span.attributes |= messaging_attributes("process", "decide", topic)
        span.attributes |= {
            "messaging.destination.partition.id": str(or_minus_one(record.partition())),
            "messaging.kafka.offset": or_minus_one(record.offset()),
            "triggers.session": uid,
            "triggers.event": wire_name(type(event)),
        }
        if isinstance(event, TaskEvent | TimerFired):
            span.attributes |= {"triggers.instance": event.instance, "triggers.attempt": event.attempt}
        self.context = span.trace
        return span

    @property
    def headers(self) -> list[Header]:
        """The headers of all records but commands and forwards."""
        return trace_headers(self.context)

    def command_headers(self, command: RunTask, topic: str) -> list[Header]:
        """Returns the headers of a command. Its span has links to all events that led to it."""
        if not self.spans:
            return self.headers
        span = self._span(f"issue {command.run}", Kind.PRODUCER, command.instance, self.context)
        event = None if self.spans[0].parent is None else self.spans[0].parent.span
        span.links = [each for each in split_spans(command.spans) if each != event]
        span.attributes |= sending_attributes("issue", topic, command.session)
        span.attributes |= {"triggers.instance": command.instance, "triggers.attempt": command.attempt}
        return trace_headers(span.trace)

    def forward_headers(self, forward: ForwardTrigger, topic: str) -> list[Header]:
        """Returns the headers of the event that `$forward` fires in another session."""
        if not self.spans:
            return self.headers
        span = self._span(f"forward {forward.trigger}", Kind.PRODUCER, forward.id, self.context)
        span.attributes |= sending_attributes("forward", topic, forward.session)
        return trace_headers(span.trace)

    def _span(self, name: str, kind: Kind, role: str, parent: TraceContext | None) -> Span:
        trace_id = self.context.trace_id
        span_id = _digest(8, trace_id.hex(), self._coordinates, role)
        trace = replace(self.context, span=trace_id + span_id)
        span = Span(name, kind, trace, parent, self._started_ns)
        self.spans.append(span)
        return span


class DecisionTracer:
    """Finds out whether a decision has a trace. Without an exporter, contexts are passed on as they are."""

    __slots__ = ("_exports",)

    def __init__(self, *, exports: bool = False) -> None:
        self._exports = exports

    def trace(self, uid: str, record: Record, event: Event, decision: Decision) -> TracedDecision | None:
        """Returns the trace of a decision, or None if neither its event nor any event that led to its commands has one.

        An event without a context, such as a timer, begins a trace of its own, with links to what it goes back to.
        """
        context = event.trace
        if context is None:
            spans = _spans_of_commands(decision)
            if not spans:
                return None
            context = self._beginning(record) if self._exports else TraceContext(spans[-SPAN_BYTES:], SAMPLED)
        traced = TracedDecision(context)
        if self._exports and context.flags & SAMPLED:
            span = traced.add_decision(event.trace, uid, record, event)
            span.attributes["triggers.outcome"] = decision.outcome.value
            if decision.cancels:
                span.attributes["triggers.cancelled"] = ", ".join(each.instance for each in decision.cancels)
        return traced

    def trace_refused(self, uid: str, record: Record, event: Event, reason: str) -> list[Span]:
        """Returns the span of an event that becomes a dead letter."""
        if not self._exports or event.trace is None or not event.trace.is_sampled:
            return []
        traced = TracedDecision(event.trace)
        traced.add_decision(event.trace, uid, record, event).error = reason
        return traced.spans

    @staticmethod
    def _beginning(record: Record) -> TraceContext:
        """Returns the context of a new trace. Its span is replaced by that of the decision."""
        key = (record.key() or b"").hex()
        where = f"{record.topic()}/{record.partition()}/{record.offset()}/{timestamp_ms(record)}"
        return TraceContext(_digest(SPAN_BYTES, where, key), SAMPLED | _RANDOM_TRACE_ID)


def _spans_of_commands(decision: Decision) -> bytes:
    spans = b""
    for command in decision.commands:
        if type(command) is RunTask and command.spans:  # `type`, as in `engine.apply`
            spans += command.spans
    return spans


def _digest(size: int, *parts: str) -> bytes:
    return blake2b("\0".join(parts).encode(), digest_size=size).digest()
