"""Combines a run with an earlier one: keeps the sections that were not measured, and can add rounds to the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from benchmarks.suite import Figures

Run = TypeVar("Run")


FIELDS = {
    "steps": ("steps",),
    "rules": ("rules", "remembering"),
    "throughput": ("throughput",),
    "sessions": ("throughput",),
    "publishing": ("throughput", "publications"),
    "celery": ("celery",),
    "latency": ("latency",),
    "worker": ("cold_start_s", "recovery"),
    "takeover": ("stall_s",),
    "soak": ("soak",),
    "streams": ("throughput",),
    "streams_100k": ("throughput",),
    "stream_latency": ("stream_latency",),
    "loops": ("loops",),
    "steady_50": ("steady",),
    "steady_500": ("steady",),
}
"""Section -> fields that it fills."""


def keep(before: Figures, now: Figures) -> None:
    """Copies the sections that this run has not measured from an earlier one."""
    now.throughput = {**before.throughput, **now.throughput}
    now.steady = {**before.steady, **now.steady}
    for section, when in before.measured.items():
        if section not in now.measured:
            now.measured[section] = when
            for field in set(FIELDS[section]) - {"throughput", "steady"}:
                setattr(now, field, getattr(before, field))


def add_rounds(before: Figures, now: Figures) -> None:
    """Puts the rounds of an earlier run before those of this one, where this one has measured the same."""
    for workload, programs in now.throughput.items():
        now.throughput[workload] = _joined(before.throughput.get(workload, {}), programs)
    for rate, systems in now.steady.items():
        now.steady[rate] = _joined(before.steady.get(rate, {}), systems)
    now.loops = _joined(before.loops, now.loops) if now.loops else now.loops
    now.stream_latency = _joined(before.stream_latency, now.stream_latency) if now.stream_latency else {}
    for section, moment in now.measured.items():
        if section in before.measured:
            now.measured[section] = f"{before.measured[section]}; {moment}"


def _joined(before: Mapping[str, list[Run]], now: Mapping[str, list[Run]]) -> dict[str, list[Run]]:
    return {name: [*before.get(name, []), *now.get(name, [])] for name in {**before, **now}}
