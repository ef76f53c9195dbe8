"""The spans that agents make. They become OpenTelemetry's in `otlp`, so that agents run without its libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from triggers.core.trace_context import TraceContext


class Kind(Enum):
    """The kinds of spans, with OpenTelemetry's names."""

    CONSUMER = "CONSUMER"
    PRODUCER = "PRODUCER"
    SERVER = "SERVER"


Attributes = dict[str, str | int | bool]


def messaging_attributes(kind: str, name: str, topic: str) -> Attributes:
    """Returns the attributes of OpenTelemetry's conventions for messaging. `kind` is `send` or `process`."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": kind,
        "messaging.operation.name": name,
        "messaging.destination.name": topic,
    }


def sending_attributes(name: str, topic: str, session: str) -> Attributes:
    """Returns the attributes of the span of a record that is sent to a topic for a session."""
    return messaging_attributes("send", name, topic) | {"triggers.session": session}


@dataclass(slots=True, eq=False)
class Span:
    """One hop of a trace that is sampled."""

    name: str
    kind: Kind
    trace: TraceContext
    """The ids of the trace and of the span itself, which spans below it continue."""
    parent: TraceContext | None
    started_ns: int
    """Nanoseconds since 1970-01-01 UTC."""
    is_parent_remote: bool = False
    """True if the parent is a span of another process."""
    attributes: Attributes = field(default_factory=dict)
    links: list[bytes] = field(default_factory=list)
    """Spans of sampled traces, as `core.trace_context` stores them."""
    error: str = ""
    """The reason if the hop has failed, otherwise no text."""


class SpanSink(Protocol):
    """Exports spans that have ended, such as `OtlpSpans`."""

    def export(self, spans: Sequence[Span]) -> None:
        """Exports spans that end now. Does not block; spans that cannot be exported are lost."""

    def close(self) -> None:
        """Exports what waits. Blocks for some seconds at most."""
