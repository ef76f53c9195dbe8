"""The spans of an agent arrive at a collector with the ids, parents and links that the agent has derived."""

from __future__ import annotations

import pytest
from tests.support.otlp_collector import collector

from triggers.core.trace_context import TraceContext
from triggers.settings import TraceExport
from triggers.telemetry.spans import Kind, Span
from triggers.telemetry.tracing import open_sink

TRACE_ID = bytes([1]) * 16


def context(span_id: int) -> TraceContext:
    return TraceContext(TRACE_ID + span_id.to_bytes(8), 1, b"vendor=1")


def test_spans_keep_their_ids_parents_links_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = Span("decide paid", Kind.CONSUMER, context(2), context(1), 10, is_parent_remote=True)
    issue = Span("issue shop.ship", Kind.PRODUCER, context(3), decision.trace, 11, links=[bytes([9]) * 24])
    begun = Span("decide timer", Kind.CONSUMER, TraceContext(bytes([5]) * 24, 3), None, 12, error="refused")

    with collector() as endpoint:
        for name, value in endpoint.variables.items():
            monkeypatch.setenv(name, value)
        sink = open_sink("triggers-worker", "w0", TraceExport.from_env(endpoint.variables))
        assert sink is not None
        sink.export([decision, issue, begun])
        sink.close()

    assert endpoint.tree() == (
        "decide paid [triggers-worker]\n"
        "  issue shop.ship [triggers-worker] -> linked to an unknown span\n"
        "decide timer [triggers-worker] !"
    )
    assert [(span.trace_id, span.span_id, span.parent_id) for span in endpoint.spans] == [
        (TRACE_ID.hex(), f"{2:016x}", f"{1:016x}"),
        (TRACE_ID.hex(), f"{3:016x}", f"{2:016x}"),
        ((bytes([5]) * 16).hex(), (bytes([5]) * 8).hex(), ""),
    ]
    assert endpoint.spans[1].links == [(bytes([9]) * 8).hex()]
    assert [span.started_ns for span in endpoint.spans] == [10, 11, 12]


def test_a_collector_that_is_unavailable_delays_no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    sink = open_sink("triggers-worker", "w0", TraceExport.from_env(variables))
    assert sink is not None

    sink.export([Span("decide paid", Kind.CONSUMER, context(2), context(1), 10)])
    sink.close()
