"""The catalogue: every metric family that a process exposes. docs/metrics.md is written from it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from triggers.telemetry.agent_families import AGENT_FAMILIES
from triggers.telemetry.families import CounterFamily, Family, GaugeFamily
from triggers.telemetry.service_families import (
    API_FAMILIES,
    CELERY_FAMILIES,
    CONSOLE_FAMILIES,
    DISPATCHER_FAMILIES,
    HOOKS_FAMILIES,
)


class MeasuredProcess(StrEnum):
    """A kind of process that exposes metrics. Its value is the label `process` of `triggers_build_info`."""

    AGENT = "agent"
    CELERY_WORKER = "celery-worker"
    DISPATCHER = "dispatcher"
    HOOKS = "hooks"
    API = "api"
    CONSOLE = "console"


BUILD_INFO = GaugeFamily(
    name="triggers_build_info",
    help="Always 1. The labels have the version of the package and of Python, and the kind of the process.",
    labels=("version", "python", "process"),
)
LIBRARY_FAMILIES: Final = (
    CounterFamily(
        name="process_cpu_seconds_total", help="Total user and system CPU time spent in seconds.", unit="seconds"
    ),
    GaugeFamily(name="process_virtual_memory_bytes", help="Virtual memory size in bytes.", unit="bytes"),
    GaugeFamily(name="process_resident_memory_bytes", help="Resident memory size in bytes.", unit="bytes"),
    GaugeFamily(
        name="process_start_time_seconds",
        help="Start time of the process since unix epoch in seconds.",
        unit="seconds",
    ),
    GaugeFamily(name="process_open_fds", help="Number of open file descriptors."),
    GaugeFamily(name="process_max_fds", help="Maximum number of open file descriptors."),
)
"""Families of prometheus_client's `ProcessCollector`, which it creates on Linux only."""
EVERYWHERE: Final[tuple[Family, ...]] = (BUILD_INFO, *LIBRARY_FAMILIES)

CATALOGUE: Final[Mapping[MeasuredProcess, tuple[Family, ...]]] = {
    MeasuredProcess.AGENT: AGENT_FAMILIES,
    MeasuredProcess.CELERY_WORKER: CELERY_FAMILIES,
    MeasuredProcess.DISPATCHER: DISPATCHER_FAMILIES,
    MeasuredProcess.HOOKS: HOOKS_FAMILIES,
    MeasuredProcess.API: API_FAMILIES,
    MeasuredProcess.CONSOLE: CONSOLE_FAMILIES,
}
"""The families of each process, without those that every process has."""


def all_families() -> dict[str, Family]:
    """Returns every family by its name."""
    return {family.name: family for families in (*CATALOGUE.values(), EVERYWHERE) for family in families}
