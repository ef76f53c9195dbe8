"""Summarizes the figures and compares them with their targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median

from benchmarks.contenders import AGENT, FAUST, FEW, LONG, LONGER, MANY, PASSTHROUGH, SHORT, TRANSACTIONAL, TWO_AGENTS
from benchmarks.latency import PARTITIONS, latency_name
from benchmarks.micro.rule_cases import PLAIN
from benchmarks.old_framework import NAME as OLD
from benchmarks.peers.comparison import summarise_loops, summarise_steady, summarise_streams
from benchmarks.suite import Figures, Runs
from benchmarks.throughput import Rate

Summary = dict[str, float]


def speed_ratio(runs: Mapping[str, Sequence[Rate]], ours: str, theirs: str) -> float:
    """Returns the ratio of events per second, as the median of the rounds' ratios."""
    pairs = zip(runs[ours], runs[theirs], strict=False)  # a run that was cut short has fewer
    return median(a.events_per_s / b.events_per_s for a, b in pairs)


def cpu_ratio(runs: Mapping[str, Sequence[Rate]], ours: str, theirs: str) -> float:
    """Returns the ratio of events per second of CPU time, as the median of the rounds' ratios."""
    pairs = zip(runs[ours], runs[theirs], strict=False)  # a run that was cut short has fewer
    return median(b.cpu_us_per_event / a.cpu_us_per_event for a, b in pairs)


def summarise(figures: Figures) -> Summary:
    """Returns the summary of all sections that were measured, rounded to three digits."""
    summary = _throughput(figures) | _steps(figures) | _latency(figures) | _celery(figures)
    summary |= _worker(figures) | _soak(figures) | _rules(figures)
    summary |= summarise_loops(figures.loops) | summarise_steady(figures.steady) | summarise_streams(figures.throughput)
    return {name: float(f"{value:.3g}") for name, value in summary.items()}


_COMPARED = {
    "passthrough": (MANY.name, PASSTHROUGH.name),
    "passthrough_1000_in_flight": (FEW.name, PASSTHROUGH.name),
    "transactional_passthrough": (MANY.name, TRANSACTIONAL.name),
    "transactional_passthrough_1000_in_flight": (FEW.name, TRANSACTIONAL.name),
    "stock_faust": (FEW.name, FAUST.name),
    "quix_streams": (FEW.name, "Quix Streams"),
    "old_framework_5_pages": (SHORT.name, OLD),
    "old_framework_500_pages": (LONG.name, OLD),
}


def _throughput(figures: Figures) -> Summary:
    summary: Summary = {}
    for name, (workload, other) in _COMPARED.items():
        runs: Runs = figures.throughput.get(workload, {})
        if other in runs and AGENT.name in runs:
            summary[f"ratio_to_{name}"] = speed_ratio(runs, AGENT.name, other)
            summary[f"cpu_ratio_to_{name}"] = cpu_ratio(runs, AGENT.name, other)
    if two := figures.throughput.get(LONGER.name):
        summary["cpu_of_one_agent_over_two"] = cpu_ratio(two, TWO_AGENTS.name, AGENT.name)
        summary["speed_of_two_agents_over_one"] = speed_ratio(two, TWO_AGENTS.name, AGENT.name)
    short, long = (figures.throughput.get(of.name, {}).get(AGENT.name) for of in (SHORT, LONG))
    if short and long:
        grown = [b.cpu_us_per_event / a.cpu_us_per_event for a, b in zip(short, long, strict=False)]
        summary["cpu_500_over_5_pages_on_kafka"] = median(grown)
    return summary


def _rules(figures: Figures) -> Summary:
    if not figures.rules:
        return {}
    plain = figures.rules[PLAIN].instructions
    costs = figures.rules.values()
    grown = [cost.instructions_long / cost.instructions for cost in costs if cost.instructions_long is not None]
    return {
        "cost_of_rules_over_plain": max(cost.instructions for cost in costs) / plain,
        "cost_of_rules_5000_over_5_pages": max(grown),
    }


def _steps(figures: Figures) -> Summary:
    steps = figures.steps
    if not steps:
        return {}
    return {
        "cost_500_over_5_pages": _grows(figures, "session_from_its_rows", 5, 500),
        "cost_5000_over_5_pages": _grows(figures, "session_from_its_rows", 5, 5000),
        "cost_200_ignoring_rules": _grows(figures, "rules_that_ignore_the_event", 0, 200),
        "cost_1m_over_10k_stored": _grows(figures, "stored_sessions", 10_000, 1_000_000),
    }


def _grows(figures: Figures, name: str, small: int, large: int) -> float:
    return figures.steps[f"{name}[{large}]"].median / figures.steps[f"{name}[{small}]"].median


def _latency(figures: Figures) -> Summary:
    summary: Summary = {}
    for partitions, (what, short) in product(PARTITIONS, (("command visible", "visible"), ("task started", "started"))):
        if runs := figures.latency.get(latency_name(what, partitions, celery=short == "started")):
            where = "" if partitions == PARTITIONS[0] else f"_on_{partitions}_partitions"
            summary[f"{short}_p50_ms{where}"] = median(run.p50 for run in runs)
            summary[f"{short}_p99_ms{where}"] = median(run.p99 for run in runs)
    return summary


def _celery(figures: Figures) -> Summary:
    summary: Summary = {}
    for pool, runs in figures.celery.items():
        ours, theirs, *_ = runs
        summary[f"celery_{pool.split()[0]}_ratio_to_redis"] = speed_ratio(runs, ours, theirs)
        summary[f"celery_{pool.split()[0]}_cpu_ratio_to_redis"] = cpu_ratio(runs, ours, theirs)
    return summary


def _worker(figures: Figures) -> Summary:
    summary: Summary = {"cold_start_s": median(figures.cold_start_s)} if figures.cold_start_s else {}
    if figures.stall_s:
        summary["killed_agent_stall_s"] = max(figures.stall_s)
    for run in figures.recovery:
        of_the_target = run.sessions >= _MANY_SESSIONS and run.partitions >= _MANY_PARTITIONS
        size = "" if of_the_target else f"_of_{run.sessions}_sessions_on_{run.partitions}_partitions"
        summary |= {"recovery_rows_per_s": run.rows_per_s, f"resident_mb{size}": run.resident_mb}
    return summary


def _soak(figures: Figures) -> Summary:
    summary: Summary = {}
    for run in figures.soak:
        summary["soak_growth" if run.seconds >= _LONG_S else f"soak_growth_in_{run.seconds:.0f}_s"] = run.growth
    return summary


_LONG_S = 1800
_MANY_SESSIONS = 1_000_000
_MANY_PARTITIONS = 64
"""Sessions and partitions to which the targets for memory apply. A smaller run does not show them."""


@dataclass(frozen=True, slots=True)
class Target:
    """The range in which a figure should be."""

    figure: str
    text: str
    met: Callable[[float], bool]


def at_least(limit: float) -> Callable[[float], bool]:
    """Makes a target for a figure of which higher is better."""
    return lambda value: value >= limit


def at_most(limit: float) -> Callable[[float], bool]:
    """Makes a target for a figure of which lower is better."""
    return lambda value: value <= limit


TARGETS = (
    Target("ratio_to_passthrough", "≥ 0.6 of the pass-through, 100,000 sessions in flight", at_least(0.6)),
    Target("ratio_to_passthrough_1000_in_flight", "≥ 0.8 of the pass-through, 1,000 in flight", at_least(0.8)),
    Target("ratio_to_stock_faust", "≥ 30 times stock Faust", at_least(30)),
    Target("ratio_to_old_framework_5_pages", "≥ 40 times the old framework, 5 pages a session", at_least(40)),
    Target("ratio_to_old_framework_500_pages", "≥ 200 times the old framework, 500 pages a session", at_least(200)),
    Target("cost_500_over_5_pages", "≤ 1.5 times the cost of 5 pages at 500", at_most(1.5)),
    Target("cost_5000_over_5_pages", "≤ 1.5 times the cost of 5 pages at 5,000", at_most(1.5)),
    Target("cost_of_rules_over_plain", "rules of edition 2 ≤ 2 times a plain one", at_most(2)),
    Target("cost_of_rules_5000_over_5_pages", "… ≤ 1.5 times at 5,000 pages", at_most(1.5)),
    Target("cost_200_ignoring_rules", "≤ 1.2 times with 200 rules that ignore the trigger", at_most(1.2)),
    Target("cost_1m_over_10k_stored", "≤ 1.5 times with 1 M sessions stored instead of 10 k", at_most(1.5)),
    Target(
        "cpu_of_one_agent_over_two",
        "two processes need no more CPU an event: ≥ 0.9 of one's over theirs",
        at_least(0.9),
    ),
    Target("visible_p50_ms", "p50 ≤ 10 ms from fire to command at 500/s", at_most(10)),
    Target("visible_p99_ms", "p99 ≤ 30 ms from fire to command at 500/s", at_most(30)),
    Target("started_p50_ms", "p50 ≤ 40 ms from fire to task at 500/s", at_most(40)),
    Target("visible_p50_ms_on_2_partitions", "… to command with two partitions an agent", at_most(10)),
    Target("visible_p99_ms_on_2_partitions", "… its p99", at_most(30)),
    Target("started_p50_ms_on_2_partitions", "… to task with two partitions an agent", at_most(40)),
    Target("resident_mb", "≤ 400 MB with 64 partitions and 1 M five-page sessions", at_most(400)),
    Target("soak_growth", "no growth in 30 minutes: last third beside the second", at_most(1.03)),
    Target("recovery_rows_per_s", "≥ 250,000 changelog rows/s recovered", at_least(250_000)),
    Target("killed_agent_stall_s", "≤ 7 s without commands when an agent is killed", at_most(7)),
    Target("cold_start_s", "≤ 3 s to the first command with an empty table", at_most(3)),
    Target("celery_prefork_ratio_to_redis", "prefork: tasks/s no less than over Redis", at_least(1)),
    Target("celery_solo_ratio_to_redis", "solo: tasks/s no less than over Redis", at_least(1)),
    Target("whole_loop_tasks_per_s_over_restate", "whole loop: ≥ 3 times the tasks/s of Restate", at_least(3)),
    Target("whole_loop_tasks_per_s_over_celery_by_hand", "… ≥ 2.5 times those of Celery by hand", at_least(2.5)),
    Target("cpu_ms_per_task", "≤ 1.1 ms of CPU a task in all", at_most(1.1)),
    Target("cpu_ms_per_task_agents", "… agents ≤ 0.2", at_most(0.2)),
    Target("cpu_ms_per_task_celery", "… Celery ≤ 0.45", at_most(0.45)),
    Target("cpu_ms_per_task_broker", "… broker ≤ 0.45", at_most(0.45)),
    Target("task_started_p50_ms_at_50", "p50 ≤ 6 ms from fire to task at 50/s, two agents", at_most(6)),
    Target("task_started_p99_ms_at_50", "… p99 ≤ 20 ms", at_most(20)),
    Target("cpu_ms_per_task_at_50", "… ≤ 5 ms of CPU a task", at_most(5)),
    Target("agent_cpu_over_kafka_streams", "the agent's CPU ≤ that of Kafka Streams, 1,000 in flight", at_most(1)),
    Target("agent_cpu_over_kafka_streams_100k", "… 100,000 in flight", at_most(1)),
    Target("agent_cpu_us", "≤ 11 µs of CPU an event of the agent alone, 1,000 in flight", at_most(11)),
    Target("agent_cpu_us_100k", "… ≤ 24 µs, 100,000 in flight", at_most(24)),
)
