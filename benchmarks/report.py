"""Tables for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks.throughput import Rate


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Minimum, median and maximum."""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))


def rates(runs: Mapping[str, Sequence[Rate]]) -> str:
    """The runs of programs side by side; ratios are medians of the rounds' ratios to the first program."""
    anchor = next(iter(runs.values()))
    header = ("", "events/s (min / median / max)", "CPU µs/event", "broker CPU µs/event", "speed ÷ first", "MB")
    return table(header, (_row(name, found, anchor) for name, found in runs.items()))


def _row(name: str, found: Sequence[Rate], anchor: Sequence[Rate]) -> Sequence[str]:
    broker = [rate.broker_cpu_us_per_event for rate in found if rate.broker_cpu_us_per_event is not None]
    ratio = median(a.events_per_s / b.events_per_s for a, b in zip(found, anchor, strict=True))
    return (
        name,
        spread([rate.events_per_s for rate in found]),
        spread([rate.cpu_us_per_event for rate in found], 1),
        spread(broker, 1) if broker else "not ours",
        f"{ratio:.2g}",
        f"{max(rate.resident_mb for rate in found):,.0f}",
    )
