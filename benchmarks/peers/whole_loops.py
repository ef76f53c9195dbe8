"""Measures systems from fire to finished task: at full speed with whole questionnaires, and at a steady rate."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.latency import Latency, summarize
from benchmarks.peers.lots import opened_sessions, pages_of_open_sessions, whole_questionnaires
from benchmarks.peers.site import Peer, Site

WARM_UP_S = 10.0
_SEED, _WARM_UP_SEED = 1, 7
_PATIENCE_S = 30.0


class LoopRun(msgspec.Struct, frozen=True, kw_only=True):
    """The result of whole questionnaires at full speed."""

    tasks: int
    tasks_per_s: float
    """The time counts from the first event to the last finished task."""
    cpu_ms: dict[str, float]
    """CPU time for a task, by process."""
    load: float
    """Load average of the machine before the run."""


class SteadyRun(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a steady load."""

    latency: Latency
    """It is measured from the fire to the first line of the task."""
    cpu_ms: dict[str, float]
    load: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSizes:
    """The sizes of a run."""

    questionnaires: int
    warm_up: int
    """Number of questionnaires that run first, so that every process has compiled, connected and loaded its code."""


SIZES = {
    "triggers": LoopSizes(questionnaires=1000, warm_up=300),
    "Restate": LoopSizes(questionnaires=600, warm_up=200),
    "Celery by hand": LoopSizes(questionnaires=800, warm_up=200),
    "DBOS": LoopSizes(questionnaires=150, warm_up=30),
}
"""Sizes with which each system runs for some ten seconds."""


def measure_loop(peer: Peer, brokers: str) -> LoopRun:
    """Runs whole questionnaires. Raises RuntimeError if other tasks run than those of the rules."""
    sizes, load = SIZES[peer.name], os.getloadavg()[0]
    with _started(peer, brokers) as site:
        site.run(whole_questionnaires(sizes.warm_up, _WARM_UP_SEED))
        run = site.run(whole_questionnaires(sizes.questionnaires, _SEED))
    return LoopRun(
        tasks=run.tasks, tasks_per_s=run.tasks / run.seconds, cpu_ms=cpu_ms_of(run.cpu_s, run.tasks), load=load
    )


def measure_steadily(peer: Peer, brokers: str, rate: int, seconds: float) -> SteadyRun:
    """Fires pages to open sessions at a rate. Raises RuntimeError if a wrong task runs or the system cannot keep up."""
    load, warm_up = os.getloadavg()[0], int(rate * WARM_UP_S)
    with _started(peer, brokers) as site:
        site.run(opened_sessions())
        site.run(pages_of_open_sessions(0, warm_up), rate)
        run = site.run(pages_of_open_sessions(warm_up, int(rate * seconds)), rate, _PATIENCE_S)
    if run.seconds > 2 * seconds:
        raise RuntimeError(
            f"{peer.name} does not keep up with {rate} tasks/s: it has run {run.tasks / run.seconds:.0f}"
        )
    return SteadyRun(latency=summarize(run.latencies), cpu_ms=cpu_ms_of(run.cpu_s, run.tasks), load=load)


def cpu_ms_of(cpu_s: Mapping[str, float], tasks: int) -> dict[str, float]:
    """Returns the milliseconds of CPU time for a task, by process."""
    return {name: round(seconds / tasks * 1000, 4) for name, seconds in cpu_s.items()}


@contextmanager
def _started(peer: Peer, brokers: str) -> Iterator[Site]:
    with (
        TemporaryDirectory(prefix="triggers-bench-", ignore_cleanup_errors=True) as folder,
        peer.start(brokers, Path(folder)) as site,
    ):
        yield site
