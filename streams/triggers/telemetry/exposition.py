"""Registers the metrics of a process, and serves them for Prometheus on a port of their own."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import Metric
from typing_extensions import override

from triggers.errors import SettingsError
from triggers.settings import Settings
from triggers.telemetry.catalogue import BUILD_INFO, MeasuredProcess

_PACKAGE = "kafka-triggers"


class Registry(CollectorRegistry):
    """The metrics of one process. It is separate from those of the application."""

    @override
    def collect(self) -> Iterator[Metric]:
        """Yields the metrics without the `_created` series, which would double the number of counters.

        The library's own switch for them would change the application's metrics as well.
        """
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def new_registry(process: MeasuredProcess) -> Registry:
    """Returns a registry with the metrics that every process has."""
    registry = Registry()
    ProcessCollector(registry=registry)
    BUILD_INFO.create(registry).labels(_version(), platform.python_version(), process).set(1)
    return registry


def serve_metrics(settings: Settings, registry: Registry) -> Callable[[], None]:
    """Serves the registry in a daemon thread on `metrics_port`. Returns a function that closes the server.

    Raises SettingsError if the port is in use.
    """
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        raise SettingsError(
            f"cannot serve metrics on {settings.metrics_host}:{settings.metrics_port}: {error.strerror};"
            " choose another TRIGGERS_METRICS_PORT, a different one for each process of a machine"
        ) from error

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return close


def _version() -> str:
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:  # the source is on the path without being installed
        return "unknown"
