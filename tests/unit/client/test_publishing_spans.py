"""An event that is published continues its own trace, or that of the running code."""

from __future__ import annotations

import subprocess
import sys

PASSED_ON = """
from triggers.client.publishing_spans import publishing_span
from triggers.core.events import TriggerFired
from triggers.core.trace_context import TraceContext
from triggers.telemetry.current_trace import following

own, running = TraceContext(bytes([1]) * 24, 1), TraceContext(bytes([2]) * 24, 1)
for trace, around in ((own, running), (None, running), (None, None)):
    with following(around), publishing_span("events", "s1", TriggerFired(trigger="paid", trace=trace)) as passed:
        print(passed and passed.span[0])
"""
PROGRAM = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from triggers.client.publishing_spans import publishing_span
from triggers.core.events import DeletionRequested, TriggerFired

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with trace.get_tracer("shop").start_as_current_span("request") as request:
    with publishing_span("events", "s1", TriggerFired(trigger="paid")) as published:
        pass
try:
    with publishing_span("events", "s1", DeletionRequested()):
        raise ConnectionError("away")
except ConnectionError:
    pass
fired, _, deleted = exporter.get_finished_spans()
assert published.span_id == fired.context.span_id.to_bytes(8)
assert fired.parent.span_id == request.get_span_context().span_id
print(fired.name, fired.kind.name, fired.attributes["messaging.destination.name"], fired.attributes["triggers.session"])
print(deleted.name, deleted.parent, deleted.status.status_code.name)
"""


def test_in_an_application_with_an_sdk_the_event_has_a_span_below_the_current_one() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == ["fire paid PRODUCER events s1", "publish delete None ERROR"], done.stderr


def test_without_an_sdk_the_context_of_the_event_or_of_the_running_code_is_passed_on() -> None:
    """This is a process of its own, because other tests load an SDK."""
    done = subprocess.run([sys.executable, "-c", PASSED_ON], capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["1", "2", "None"], done.stderr
