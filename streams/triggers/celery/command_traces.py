"""The trace of a command: from the record's headers into Celery's message, and on to the result.

The headers of the message have W3C's names, so that other instrumentations of Celery continue the trace, too.
"""

from __future__ import annotations

from typing import Any, Final, cast

from triggers.celery.command_headers import Request
from triggers.celery.command_source import Delivery
from triggers.codec import parse_trace, read_trace, trace_attributes
from triggers.codec.trace_headers import TRACEPARENT, TRACESTATE
from triggers.core.trace_context import TraceContext
from triggers.errors import Undecodable
from triggers.kafka.records import Record, headers_of

RUN: Final = "triggers_run_trace"
"""Key of the request under which the context of its run is stored."""


def trace_of_delivery(delivery: Delivery) -> TraceContext | None:
    """Returns the context of a record of the commands topic, or None."""
    try:
        headers = headers_of(cast("Record", delivery.message))
    except Undecodable:  # someone else's header; the command is complete without
        return None
    return read_trace(headers) if headers else None


def message_headers(delivery: Delivery) -> dict[str, str]:
    """Returns the headers of the trace for Celery's message."""
    return trace_attributes(trace_of_delivery(delivery))


def trace_of_request(request: Request | None) -> TraceContext | None:
    """Returns the context that the result of a request continues: that of its run or, before it runs, its command's."""
    if request is None:
        return None
    run = request.get(RUN)
    return run if isinstance(run, TraceContext) else command_trace(request)


def command_trace(request: Request) -> TraceContext | None:
    """Returns the context of the command behind a request, or None."""
    parent, state = request.get(TRACEPARENT), request.get(TRACESTATE)
    if not isinstance(parent, str):
        return None
    return parse_trace(parent.encode(errors="replace"), str(state or "").encode(errors="replace"))


def continue_trace(running: Any, headers: dict[str, Any]) -> None:
    """Lets a message that continues the running command continue its trace, unless it has one of its own."""
    if TRACEPARENT not in headers:
        headers.update(trace_attributes(trace_of_request(running)))
