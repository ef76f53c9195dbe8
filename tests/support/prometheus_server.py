"""A real Prometheus, which tests start with a configuration and ask over HTTP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.topic_reader import wait_until

from triggers.dev.ports import free_ports
from triggers.telemetry.catalogue import all_families


@contextmanager
def prometheus(configuration: Path, folder: Path) -> Iterator[str]:
    """Runs Prometheus with a configuration, and its data in the folder. Yields its URL."""
    program = shutil.which("prometheus")
    if program is None:
        assert not os.environ.get("CI"), "CI installs prometheus"
        pytest.skip("prometheus is not installed")
    (port,) = free_ports(1)
    options = (
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with (folder / "prometheus.log").open("wb") as log:
        running = subprocess.Popen([program, *options], cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: _is_ready(f"http://127.0.0.1:{port}"), f"Prometheus is ready; see {folder}/prometheus.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False


def firing(url: str) -> set[str]:
    """Returns the names of the alerts that fire."""
    alerts = _ask(url, "alerts")["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def query(url: str, name: str) -> list[dict[str, Any]]:
    """Returns the series of an instant query."""
    found: list[dict[str, Any]] = _ask(url, f"query?query={name}")["result"]
    return found


def families_of_ours(url: str) -> set[str]:
    """Returns the families of this package's processes that Prometheus has scraped."""
    names = _ask(url, "label/__name__/values")
    return {_family(name) for name in names if name.startswith(("triggers_", "process_"))}


def _family(series: str) -> str:
    return series if series in all_families() else re.sub(r"_(bucket|sum|count)$", "", series)


def _ask(url: str, path: str) -> Any:  # noqa: ANN401  # JSON
    return httpx.get(f"{url}/api/v1/{path}").raise_for_status().json()["data"]
