"""Programs take turns on the same broker: whatever else the machine does, it does to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from benchmarks.throughput import Program, Rate, measure
from benchmarks.workload import Workload

Runs = dict[str, list[Rate]]
"""Program -> its runs, in the order of the rounds."""
Say = Callable[[str], None]


def side_by_side(programs: Sequence[Program], workload: Workload, rounds: int, brokers: str, say: Say) -> Runs:
    """So many rounds; in each, every program once. Raises RuntimeError."""
    runs: Runs = {program.name: [] for program in programs}
    for number in range(1, rounds + 1):
        for program in programs:
            rate = measure(program, workload, brokers)
            runs[program.name].append(rate)
            say(f"{workload.name}, round {number}: {program.name} {line(rate)}")
    return runs


def line(rate: Rate) -> str:
    """One run, for people who wait."""
    return f"{rate.events_per_s:,.0f} events/s, {rate.cpu_us_per_event:.1f} µs CPU an event"


def speed_ratio(runs: Mapping[str, Sequence[Rate]], ours: str, theirs: str) -> float:
    """How many times as many events per second as the other: the median of the rounds' ratios."""
    pairs = zip(runs[ours], runs[theirs], strict=True)
    return median(a.events_per_s / b.events_per_s for a, b in pairs)


def cpu_ratio(runs: Mapping[str, Sequence[Rate]], ours: str, theirs: str) -> float:
    """How many times less CPU an event than the other: the median of the rounds' ratios."""
    pairs = zip(runs[ours], runs[theirs], strict=True)
    return median(b.cpu_us_per_event / a.cpu_us_per_event for a, b in pairs)
