"""Where the processes of a development stack serve their metrics, and a configuration of Prometheus that has them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from triggers.dev.ports import preferred_ports
from triggers.dev.stack import Service
from triggers.settings import PREFIX

_FIRST_PORT = 9464
"""The port that the other deployments of this project use. OpenTelemetry's exporters for Prometheus have it, too."""
_SCRAPE_INTERVAL = "5s"
_JOBS = {"worker": "agent"}
"""Kind of service -> name of its scrape job, if that is another."""


class MetricsPorts:
    """The ports of metrics by the name of the service. A service that is started again gets the same port."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}

    def give_port(self, service: Service) -> Service:
        """Return the service with a port for its metrics if it needs one, which only this machine reaches."""
        if service.metrics_port is None:
            return service
        if service.name not in self._ports:
            wanted = _FIRST_PORT + len(self._ports)
            self._ports[service.name] = service.metrics_port or preferred_ports(wanted)[0]
        port = str(self._ports[service.name])
        variables = {f"{PREFIX}METRICS_PORT": port, f"{PREFIX}METRICS_HOST": "127.0.0.1"}
        return replace(service, env={**service.env, **variables})

    def urls(self) -> dict[str, str]:
        """Return the URL of each service's metrics."""
        return {name: f"http://127.0.0.1:{port}/metrics" for name, port in self._ports.items()}

    def write_configuration(self, file: Path) -> None:
        """Write a configuration with which Prometheus scrapes all of them. JSON is YAML, which Prometheus reads.

        The jobs have the names that the alerts and the dashboard of this project expect.
        """
        targets: dict[str, list[str]] = {}
        for name, port in self._ports.items():
            kind = name.partition("-")[0]
            targets.setdefault(_JOBS.get(kind, kind), []).append(f"127.0.0.1:{port}")
        jobs = [
            {"job_name": f"triggers-{job}", "static_configs": [{"targets": addresses}]}
            for job, addresses in targets.items()
        ]
        configuration = {"global": {"scrape_interval": _SCRAPE_INTERVAL}, "scrape_configs": jobs}
        file.write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")
