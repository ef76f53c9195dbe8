"""Summarizes the figures of other systems, and renders their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import TypeVar

from benchmarks.peers.stream_processors import AGENT_ALONE, EQUAL_WORK
from benchmarks.peers.streams import FEW_OPEN, MANY_OPEN
from benchmarks.peers.whole_loops import LoopRun, SteadyRun
from benchmarks.throughput import Rate

OURS = "triggers"
_OTHERS = {"restate": "Restate", "celery_by_hand": "Celery by hand", "dbos": "DBOS"}
_PARTS = ("agents", "celery", "broker")

Run = TypeVar("Run")
Summary = dict[str, float]
Table = tuple[str, Sequence[str], list[Sequence[str]]]
"""Title, header and rows."""


def total_cpu_ms(run: LoopRun | SteadyRun) -> float:
    """Returns the CPU time of all processes for a task. The program that fires counts, too."""
    return sum(run.cpu_ms.values())


def summarise_loops(loops: Mapping[str, Sequence[LoopRun]]) -> Summary:
    """Returns our speed over that of each other system, and what a task costs us."""
    ours = loops.get(OURS, ())
    if not ours:
        return {}
    summary: Summary = {"cpu_ms_per_task": median(map(total_cpu_ms, ours))}
    for part in _PARTS:
        summary[f"cpu_ms_per_task_{part}"] = median(run.cpu_ms.get(part, 0.0) for run in ours)
    for name, other in _OTHERS.items():
        if theirs := loops.get(other):
            summary[f"whole_loop_tasks_per_s_over_{name}"] = _ratio(ours, theirs, lambda run: run.tasks_per_s)
            summary[f"whole_loop_cpu_over_{name}"] = _ratio(ours, theirs, total_cpu_ms)
    return summary


def summarise_steady(steady: Mapping[str, Mapping[str, Sequence[SteadyRun]]]) -> Summary:
    """Returns our latency and CPU time at each rate."""
    summary: Summary = {}
    for rate, systems in steady.items():
        if ours := systems.get(OURS):
            summary[f"task_started_p50_ms_at_{rate}"] = median(run.latency.p50 for run in ours)
            summary[f"task_started_p99_ms_at_{rate}"] = median(run.latency.p99 for run in ours)
            summary[f"cpu_ms_per_task_at_{rate}"] = median(map(total_cpu_ms, ours))
    return summary


def summarise_streams(throughput: Mapping[str, Mapping[str, Sequence[Rate]]]) -> Summary:
    """Returns the CPU time of our agent, and its ratio to that of Kafka Streams at equal work."""
    summary: Summary = {}
    for suffix, workload in (("", FEW_OPEN), ("_100k", MANY_OPEN)):
        programs = throughput.get(workload.name, {})
        ours, theirs = programs.get(AGENT_ALONE.name), programs.get(EQUAL_WORK.name)
        if ours:
            summary[f"agent_cpu_us{suffix}"] = median(map(_cpu_us, ours))
        if ours and theirs:
            summary[f"agent_cpu_over_kafka_streams{suffix}"] = _ratio(ours, theirs, _cpu_us)
    return summary


def _cpu_us(rate: Rate) -> float:
    return rate.cpu_us_per_event


def _ratio(ours: Sequence[Run], theirs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """Returns the median of the rounds' ratios."""
    return median(figure(a) / figure(b) for a, b in zip(ours, theirs, strict=False))


def loop_tables(
    loops: Mapping[str, Sequence[LoopRun]], steady: Mapping[str, Mapping[str, Sequence[SteadyRun]]]
) -> Iterator[Table]:
    """Yields the tables of whole loops."""
    if loops:
        header: Sequence[str] = (
            "",
            "rounds",
            "tasks/s: min / median / max",
            "CPU ms a task",
            "by process, median",
            "load",
        )
        yield "Whole questionnaires, from fire to finished task", header, [_loop(*each) for each in loops.items()]
    for rate, systems in steady.items():
        header = ("", "rounds", "p50 ms", "p99 ms", "CPU ms a task", "by process, median", "load")
        rows = [_steady(*each) for each in systems.items()]
        yield f"From fire to the task's start at {rate} tasks/s", header, rows


def _loop(name: str, runs: Sequence[LoopRun]) -> Sequence[str]:
    return name, str(len(runs)), _spread([run.tasks_per_s for run in runs], 0), *_costs(runs)


def _steady(name: str, runs: Sequence[SteadyRun]) -> Sequence[str]:
    p50, p99 = ([getattr(run.latency, cut) for run in runs] for cut in ("p50", "p99"))
    return name, str(len(runs)), _spread(p50, 1), _spread(p99, 1), *_costs(runs)


def _costs(runs: Sequence[LoopRun] | Sequence[SteadyRun]) -> tuple[str, str, str]:
    parts = runs[0].cpu_ms
    by_process = ", ".join(f"{part} {median(run.cpu_ms[part] for run in runs):.2f}" for part in parts)
    return _spread([total_cpu_ms(run) for run in runs], 2), by_process, _spread([run.load for run in runs], 1)


def _spread(values: Sequence[float], digits: int) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))
