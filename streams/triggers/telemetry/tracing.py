"""Turns tracing on if OpenTelemetry's variables name an endpoint, and makes spans if a library of it is loaded.

Without the variables, nothing of OpenTelemetry is imported by us.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from triggers.core.trace_context import TraceContext
from triggers.settings import TraceExport
from triggers.telemetry.current_trace import current_trace
from triggers.telemetry.spans import Attributes, Kind, SpanSink

if TYPE_CHECKING:
    from triggers.telemetry.active_span import ActiveSpan

_SDK: Final = "opentelemetry.sdk.trace"
_AGENT_QUEUE: Final = 20_000
"""Spans of an agent that may wait. A batch of 4,000 records has up to three times as many, all at its commit."""

log = logging.getLogger(__name__)


def open_sink(service: str, instance: str, export: TraceExport | None = None) -> SpanSink | None:
    """Returns what exports the spans of a worker, or None if no spans are exported. `instance` is the worker's id."""
    export = TraceExport.from_env() if export is None else export
    if not _can_export(export):
        return None
    from triggers.telemetry.otlp import OtlpSpans

    resource = _resource(service, export) | {"service.instance.id": instance}
    return OtlpSpans(resource, None if export.has_queue_size else _AGENT_QUEUE)


def export_spans(service: str, export: TraceExport | None = None) -> bool:
    """Makes this process export spans if the variables say so. Returns whether it does.

    An application that has configured OpenTelemetry itself keeps its own exporter. Idempotent.
    """
    export = TraceExport.from_env() if export is None else export
    if not _can_export(export):
        return False
    from triggers.telemetry.otlp import provide_tracer

    provide_tracer(_resource(service, export))
    return True


def flush() -> None:
    """Exports the spans that wait in this process, because it is about to end. Blocks for some seconds at most."""
    if "triggers.telemetry.otlp" in sys.modules:
        from triggers.telemetry.otlp import flush_spans

        flush_spans()


def makes_spans() -> bool:
    """Returns whether this process may make spans, because it has loaded an SDK of OpenTelemetry."""
    return _SDK in sys.modules


def begin_span(name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes) -> ActiveSpan | None:
    """Begins a span, which is the current one of this thread until it is ended.

    Returns None if nothing of OpenTelemetry is loaded in this process, or only its API.
    """
    if not makes_spans():
        return None
    from triggers.telemetry.active_span import ActiveSpan

    return ActiveSpan(name, kind, parent, attributes)


@contextmanager
def sending_span(name: str, parent: TraceContext | None, attributes: Attributes) -> Iterator[TraceContext | None]:
    """Makes a span of the block, in which a record is sent. Yields the context for its headers."""
    span = begin_span(name, Kind.PRODUCER, parent, attributes)
    if span is None:
        yield parent or current_trace()
        return
    try:
        yield span.trace
    except BaseException as error:
        span.record_error(error)
        raise
    finally:
        span.end()


def _can_export(export: TraceExport) -> bool:
    if not export.is_on:
        return False
    try:
        import triggers.telemetry.otlp  # noqa: F401  # only to find out whether it can be
    except ModuleNotFoundError as error:
        log.warning(
            "%s is set, but no spans are exported, because %s is not installed: pip install 'kafka-triggers[otel]'",
            export.variable,
            error.name,
        )
        return False
    if export.protocol not in {"", "http/protobuf"}:
        log.warning("OTEL_EXPORTER_OTLP_PROTOCOL is %r; spans are exported by http/protobuf", export.protocol)
    return True


def _resource(service: str, export: TraceExport) -> dict[str, str]:
    return {} if export.has_service_name else {"service.name": service}
