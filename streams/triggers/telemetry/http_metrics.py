"""The metrics of HTTP requests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from triggers.telemetry import service_families as families


class HttpMetrics:
    """Counts and times requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = families.HTTP_REQUESTS.create(registry)
        self._seconds = families.HTTP_SECONDS.create(registry)

    def record_request(self, operation: str, status: int, seconds: float) -> None:
        """Records a response. `operation` is one of a fixed set, never a path with names of sessions."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)
