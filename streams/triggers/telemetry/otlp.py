"""Exports spans with OpenTelemetry's SDK and its OTLP exporter. Import it only if they are installed.

OpenTelemetry's own variables configure the exporter: the endpoint, headers, certificates, batches and time limits.
"""

from __future__ import annotations

import encodings.idna
import netrc
import os
import time
from collections.abc import Mapping, Sequence
from typing import Final

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from typing_extensions import override

from triggers.core.trace_context import TraceContext
from triggers.telemetry.active_span import SCOPE, context_under, span_context
from triggers.telemetry.spans import Span

_FLUSH_MS: Final = 5000
_IMPORTED_BY_EXPORTS: Final = (encodings.idna, netrc, requests)
"""Modules that the exporter's thread would import when it first exports. If a Celery worker forked a pool child at that
moment, the child would find the module locked by a thread that it does not have, and wait for ever."""


class OtlpSpans:
    """Exports the spans of an agent: a `SpanSink`. A thread of the SDK sends them in batches."""

    def __init__(self, resource: Mapping[str, str], max_queue_size: int | None) -> None:
        """`max_queue_size` is the number of spans that may wait, or None for the SDK's own."""
        self._ids = _KnownIds()
        processor = BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=max_queue_size)
        self._provider = TracerProvider(ALWAYS_ON, Resource.create(dict(resource)), id_generator=self._ids)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SCOPE)

    def export(self, spans: Sequence[Span]) -> None:
        """Exports spans that end now. If too many wait already, the SDK drops the oldest and warns."""
        now = time.time_ns()
        for span in spans:
            self._ids.span = span.trace
            parent = Context() if span.parent is None else context_under(span.parent, is_remote=span.is_parent_remote)
            exported = self._tracer.start_span(
                span.name,
                parent,
                SpanKind[span.kind.value],
                span.attributes,
                [Link(span_context(TraceContext(each, TraceFlags.SAMPLED), is_remote=True)) for each in span.links],
                span.started_ns,
            )
            if span.error:
                exported.set_status(Status(StatusCode.ERROR, span.error))
            exported.end(now)

    def close(self) -> None:
        """Exports what waits, and ends the thread."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()


class _KnownIds(IdGenerator):
    """Gives a span the ids that the agent has derived."""

    span: TraceContext

    @override
    def generate_span_id(self) -> int:
        return int.from_bytes(self.span.span_id)

    @override
    def generate_trace_id(self) -> int:
        return int.from_bytes(self.span.trace_id)


def provide_tracer(resource: Mapping[str, str]) -> None:
    """Makes the process export the spans of OpenTelemetry's API, unless the application has a provider already."""
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    provider = TracerProvider(resource=Resource.create(dict(resource)))
    provider.add_span_processor(_SpansOfProcess())
    trace.set_tracer_provider(provider)


def flush_spans() -> None:
    """Exports the spans that wait in this process. Blocks for some seconds at most."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(_FLUSH_MS)


class _SpansOfProcess(SpanProcessor):
    """Exports over connections that belong to the process, so that a forked child does not write to its parent's."""

    def __init__(self) -> None:
        self._processors: dict[int, SpanProcessor] = {}
        """The processors by process ID. Those of the processes from which this one was forked must not be destroyed."""

    def _processor(self) -> SpanProcessor:
        """Returns the processor of this process. Two threads may both make one; a lock could be held during a fork."""
        pid = os.getpid()
        processor = self._processors.get(pid)
        if processor is None:
            made: SpanProcessor = BatchSpanProcessor(OTLPSpanExporter())
            processor = self._processors.setdefault(pid, made)
            if processor is not made:
                made.shutdown()
        return processor

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self._processor().on_end(span)

    @override
    def shutdown(self) -> None:
        self._processor().shutdown()

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._processor().force_flush(timeout_millis)
