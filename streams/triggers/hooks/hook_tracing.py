"""The span of the hooks of a decision. What they fire continues the trace of the event that was decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from confluent_kafka import Message

from triggers.codec import DecisionRecord, read_trace
from triggers.core.trace_context import TraceContext
from triggers.errors import TryAgain, Undecodable
from triggers.kafka.records import Record, headers_of
from triggers.telemetry.current_trace import following
from triggers.telemetry.spans import Kind, messaging_attributes
from triggers.telemetry.tracing import begin_span


@contextmanager
def hook_span(message: Message, record: DecisionRecord) -> Iterator[None]:
    """Makes a span of the block, in which hooks run for a decision, if its event has a trace."""
    parent = _trace_of(message)
    span = None if parent is None else begin_span(f"hook {record.kind}", Kind.CONSUMER, parent, _about(message, record))
    if span is None:
        with following(parent):
            yield
        return
    try:
        yield
    except TryAgain:
        span.set_attribute("triggers.outcome", "delayed")
        raise
    except Exception as error:
        span.record_error(error)
        raise
    finally:
        span.end()


def _trace_of(message: Message) -> TraceContext | None:
    try:
        return read_trace(headers_of(cast("Record", message)) or ())
    except Undecodable:  # someone else's header; the decision is complete without
        return None


def _about(message: Message, record: DecisionRecord) -> dict[str, str | int | bool]:
    return messaging_attributes("process", "hook", message.topic() or "") | {
        "messaging.destination.partition.id": str(message.partition()),
        "messaging.kafka.offset": message.offset() or 0,
        "triggers.session": record.session,
    }
