"""An OTLP endpoint as every collector has one: it accepts spans by protobuf over HTTP, and prints them as trees."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from tests.support.topic_reader import wait_until

_PATH: Final = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Received:
    """A span that was received."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    """The id of the span above, or empty."""
    started_ns: int
    ended_ns: int
    is_error: bool
    links: list[str] = field(default_factory=list)
    """The ids of the linked spans."""
    attributes: dict[str, str | int | bool] = field(default_factory=dict)


class Collector:
    """The spans that were received so far."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._lock = threading.Lock()
        self._spans: list[Received] = []

    @property
    def variables(self) -> dict[str, str]:
        """The variables with which OpenTelemetry exports to this endpoint, soon after a span has ended."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    @property
    def spans(self) -> list[Received]:
        """The spans in the order of their starts."""
        with self._lock:
            return sorted(self._spans, key=lambda span: span.started_ns)

    def add(self, spans: Sequence[Received]) -> None:
        """Adds spans. Called in the threads of the server."""
        with self._lock:
            self._spans += spans

    def named(self, name: str) -> list[Received]:
        """Returns the spans with this name."""
        return [span for span in self.spans if span.name == name]

    def wait_for(self, name: str, number: int = 1) -> list[Received]:
        """Waits until that many spans of a name were received, and returns them."""
        wait_until(lambda: len(self.named(name)) >= number, f"{number} spans {name!r}; received:\n{self.tree()}")
        return self.named(name)

    def tree(self) -> str:
        """Returns all traces, each span below its parent, with its service and the names of the spans it links to.

        The traces are in the order of their starts, and spans with one parent in that of their names.
        """
        spans = self.spans
        known = {span.span_id: span for span in spans}
        roots = [span for span in spans if span.parent_id not in known]
        return "\n".join(line for root in roots for line in _lines(root, spans, known, 0))


def _lines(span: Received, spans: Sequence[Received], known: dict[str, Received], depth: int) -> Iterator[str]:
    links = [known[link].name if link in known else "an unknown span" for link in span.links]
    linked = f" -> linked to {', '.join(links)}" if links else ""
    error = " !" if span.is_error else ""
    yield f"{'  ' * depth}{span.name} [{span.service}]{error}{linked}"
    below = [each for each in spans if each.parent_id == span.span_id]
    for child in sorted(below, key=lambda each: each.name):
        yield from _lines(child, spans, known, depth + 1)


@contextmanager
def collector() -> Iterator[Collector]:
    """Runs an endpoint on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    received = Collector(server.server_address[1])
    server.collector = received  # type: ignore[attr-defined]  # the handler finds it through its server
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert (self.path, self.headers["Content-Type"]) == (_PATH, "application/x-protobuf")
        collector: Collector = self.server.collector  # type: ignore[attr-defined]  # `collector` has set it
        collector.add(_decode(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives it
        """Prints nothing."""


def _decode(body: bytes) -> list[Received]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        Received(
            name=span.name,
            service=next((a.value.string_value for a in group.resource.attributes if a.key == "service.name"), ""),
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            started_ns=span.start_time_unix_nano,
            ended_ns=span.end_time_unix_nano,
            is_error=span.status.code == Status.STATUS_CODE_ERROR,
            links=[link.span_id.hex() for link in span.links],
            attributes={attribute.key: _value(attribute.value) for attribute in span.attributes},
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _value(value: AnyValue) -> str | int | bool:
    kind = value.WhichOneof("value")
    return value.int_value if kind == "int_value" else value.bool_value if kind == "bool_value" else value.string_value
