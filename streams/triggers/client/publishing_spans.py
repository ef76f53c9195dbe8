"""The span of an event that is published, which everything that follows from the event is below."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from triggers.codec.event_shapes import wire_name
from triggers.core.events import Event, TriggerFired
from triggers.core.trace_context import TraceContext
from triggers.telemetry.current_trace import current_trace
from triggers.telemetry.spans import sending_attributes
from triggers.telemetry.tracing import makes_spans, sending_span


def publishing_span(topic: str, uid: str, event: Event) -> AbstractContextManager[TraceContext | None]:
    """Makes a span of the block in which an event is published, if this process makes spans.

    The block gets the context for the record's headers. It continues the event's own trace, or else that of the
    running code.
    """
    if not makes_spans():
        return nullcontext(event.trace or current_trace())
    if isinstance(event, TriggerFired):
        return sending_span(f"fire {event.trigger}", event.trace, sending_attributes("fire", topic, uid))
    name = f"publish {wire_name(type(event))}"
    return sending_span(name, event.trace, sending_attributes("publish", topic, uid))
