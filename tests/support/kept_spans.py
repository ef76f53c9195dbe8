"""A sink of spans that a test looks at."""

from __future__ import annotations

from collections.abc import Sequence

from triggers.telemetry.spans import Span


class KeptSpans:
    """A `SpanSink` that keeps what it is given."""

    def __init__(self) -> None:
        self.exported: list[Span] = []

    def export(self, spans: Sequence[Span]) -> None:
        self.exported += spans

    def close(self) -> None:
        """Keeps everything."""
