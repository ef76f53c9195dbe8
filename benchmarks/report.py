"""Renders the figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.latency import Latency
from benchmarks.micro.rule_cases import PLAIN, PLAIN_1
from benchmarks.peers.comparison import loop_tables
from benchmarks.publishing import Publication
from benchmarks.rule_costs import MemoryCost, RuleCost
from benchmarks.soak import Soak
from benchmarks.suite import Figures
from benchmarks.summary import TARGETS, Summary
from benchmarks.throughput import Rate


def report(figures: Figures, summary: Summary) -> str:
    """Returns the tables of all sections that were measured."""
    return "\n\n".join(_sections(figures, summary)) + "\n"


def _sections(figures: Figures, summary: Summary) -> Iterator[str]:
    yield "### Targets\n\n" + targets(summary)
    for name, runs in figures.throughput.items():
        yield f"### Throughput: {name}\n\n" + rates(runs)
    yield from _costs(figures)
    yield from _peers(figures)
    if figures.latency:
        yield "### Latency at 500 events/s, ms\n\n" + latencies(figures.latency)
    for pool, runs in figures.celery.items():
        yield f"### Celery, {pool}: tasks\n\n" + rates(runs)
    if figures.cold_start_s or figures.recovery or figures.stall_s:
        yield "### A worker's start\n\n" + _starts(figures)
    if figures.soak:
        yield "### Memory under steady work\n\n" + _soaks(figures.soak)
    yield "### Where and when\n\n" + table(("", ""), [*figures.machine.items(), *figures.measured.items()])
    if figures.left_out:
        yield "Left out: " + "; ".join(figures.left_out)


def _peers(figures: Figures) -> Iterator[str]:
    for title, header, rows in loop_tables(figures.loops, figures.steady):
        yield f"### {title}\n\n" + table(header, rows)
    if figures.stream_latency:
        yield "### Stream processors alone at 500 events/s, ms\n\n" + latencies(figures.stream_latency)


def _costs(figures: Figures) -> Iterator[str]:
    if figures.publications:
        yield "### What a publication costs until a session's next event\n\n" + _publications(figures.publications)
    if figures.rules:
        yield "### Rules of edition 2: thousands of instructions for one event\n\n" + _rules(figures.rules)
    for each in figures.remembering:
        yield "### A session that remembers 1,000 contributions of 200 bytes, kB\n\n" + _memory(each)
    if figures.steps:
        rows = ((name, f"{step.min}", f"{step.median}", f"{step.max}") for name, step in figures.steps.items())
        yield "### Steps, µs of CPU for one event\n\n" + table(("", "minimum", "median", "maximum"), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Renders a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Renders minimum, median and maximum."""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))


def targets(summary: Summary) -> str:
    """Renders each target that was measured, and whether it is met."""
    rows = [
        (target.text, f"{summary[target.figure]:,g}", "met" if target.met(summary[target.figure]) else "**not met**")
        for target in TARGETS
        if target.figure in summary
    ]
    return table(("target", "measured", ""), rows)


def rates(runs: Mapping[str, Sequence[Rate]]) -> str:
    """Renders the rates of programs. A ratio is the median of the rounds' ratios to the first program."""
    anchor = next(iter(runs.values()))
    header = ("", "per s: min / median / max", "CPU µs each", "server CPU µs each", "÷ first", "CPU: first ÷", "MB")
    return table(header, (_row(name, rates_of_program, anchor) for name, rates_of_program in runs.items()))


def _row(name: str, rates: Sequence[Rate], anchor: Sequence[Rate]) -> Sequence[str]:
    server = [rate.broker_cpu_us_per_event for rate in rates if rate.broker_cpu_us_per_event is not None]
    speed = median(a.events_per_s / b.events_per_s for a, b in zip(rates, anchor, strict=False))
    cpu = median(b.cpu_us_per_event / a.cpu_us_per_event for a, b in zip(rates, anchor, strict=False))
    return (
        name,
        spread([rate.events_per_s for rate in rates]),
        spread([rate.cpu_us_per_event for rate in rates], 1),
        spread(server, 1) if server else "",
        f"{speed:.2g}",
        f"{cpu:.2g}",
        f"{max(rate.resident_mb for rate in rates):,.0f}",
    )


def latencies(found: Mapping[str, Sequence[Latency]]) -> str:
    """Renders the medians of the runs."""
    names = ("p50", "p90", "p99", "most")
    rows = (
        (what, *(f"{median(getattr(run, name) for run in runs):,.1f}" for name in names))
        for what, runs in found.items()
    )
    return table(("from fire to", *names), rows)


def _publications(publications: Sequence[Publication]) -> str:
    rows = (
        (
            f"{each.sessions:,}",
            each.existing,
            f"{each.call_s:.2f}",
            f"{each.agent_cpu_ms:.0f}",
            f"{each.changelog_offsets}",
        )
        for each in publications
    )
    header = ("live sessions", "existing", "the call, s", "agent's CPU, ms", "rows and markers in the changelog")
    return table(header, rows)


def _rules(costs: Mapping[str, RuleCost]) -> str:
    plain_1, plain = costs[PLAIN_1].instructions, costs[PLAIN].instructions
    rows = (
        (
            name,
            f"{cost.instructions:.1f}",
            f"{cost.instructions / plain:.2f}",
            f"{cost.instructions / plain_1:.2f}",
            "" if cost.instructions_long is None else f"{cost.instructions_long / cost.instructions:.2f}",
            f"{cost.rows:g}",
        )
        for name, cost in costs.items()
    )
    header = ("rule", "after 5 pages", "÷ plain", "÷ plain, edition 1", "5,000 pages ÷ 5", "rows")
    return table(header, rows)


def _memory(cost: MemoryCost) -> str:
    values = (f"{cost.rows:.0f}", f"{cost.cached:.0f}", f"{cost.event:.0f}")
    return table(("its rows", "in the cache of an agent", "while one of its events is decided"), [values])


def _soaks(soaks: Sequence[Soak]) -> str:
    rows = (
        (f"{run.seconds:,.0f}", f"{run.events:,}", f"{run.sessions:,}", *(f"{mb:,.0f}" for mb in _sixths(run)))
        for run in soaks
    )
    return table(("seconds", "events", "sessions", *(f"MB after {n}/6" for n in range(1, 7))), rows)


def _sixths(run: Soak) -> list[float]:
    return [run.resident_mb[len(run.resident_mb) * n // 6 - 1] for n in range(1, 7)]


def _starts(figures: Figures) -> str:
    rows = [("cold start, s", spread(figures.cold_start_s, 1))] if figures.cold_start_s else []
    if figures.stall_s:
        rows.append(("stall of a killed agent, s", spread(figures.stall_s, 1)))
    for run in figures.recovery:
        rows += [
            (f"recovery of {run.sessions:,} sessions, {run.partitions} partitions, rows/s", f"{run.rows_per_s:,.0f}"),
            ("CPU µs a row", f"{run.cpu_us_per_row:.1f}"),
            ("resident after recovery, MB", f"{run.resident_mb:,.0f}"),
            ("RocksDB on disk, MB", f"{run.disk_mb:,.0f}"),
        ]
    return table(("", ""), rows)
