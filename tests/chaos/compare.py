"""`python -m tests.chaos.compare A/report.json B/report.json` compares campaigns in Markdown tables for the docs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

Report = dict[str, Any]
"""A decoded `report.json`, which `tests.chaos.report` writes."""

_FIGURES: tuple[tuple[str, Callable[[Report], object]], ...] = (
    ("seconds of faults", lambda r: round(r["duration_s"])),
    ("agents, Celery workers, brokers", lambda r: f"{r['agents']}, {r['celery_workers']}, {r['brokers']}"),
    ("commands come through", lambda r: "a dispatcher and Redis" if r["dispatcher"] else "Kafka"),
    ("faults; kinds", lambda r: f"{sum(r['faults'].values())}; {len(r['faults'])}"),
    ("events, results included", lambda r: r["events"]),
    ("sessions; rows", lambda r: f"{r['sessions']:,}; {r['rows']:,}"),
    ("commands", lambda r: r["commands"]),
    ("executions; duplicates at the task", lambda r: f"{r['executions']:,}; {r['duplicates']:,}"),
    ("tasks reported as lost with their process", lambda r: r["lost_with_their_process"]),
    ("dead letters, all planted; events forwarded", lambda r: f"{r['dead_letters']}; {r['forwarded']}"),
    ("workers ended by a signal; with an exit code", lambda r: _ends(r["worker_exits"])),
    ("most memory of an agent; of a Celery worker, MB", lambda r: f"{_peak(r, 'worker-')}; {_peak(r, 'celery-')}"),
    ("seconds to drain", lambda r: round(r["drain_s"]) if r["drained"] else "**not drained**"),
    ("**lost; wrong**", lambda r: f"**{sum(r['lost'].values())}; {sum(r['wrong'].values())}**"),
)


@click.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(reports: Sequence[Path]) -> None:
    """Print the tables of several campaigns, with a column for each."""
    click.echo(tables([msgspec.json.decode(path.read_bytes()) for path in reports]))


def tables(reports: Sequence[Report]) -> str:
    """Returns the tables of figures and of stalls."""
    seeds = [f"seed {report['seed']}" for report in reports]
    figures = [[name, *(_shown(figure(report)) for report in reports)] for name, figure in _FIGURES]
    stalls = list(_stalls(reports))
    legend = "times: longest stall, s, of state / of state on partitions of other agents / of tasks"
    return "\n".join([*_table(["", *seeds], figures), "", *_table([legend, *seeds, "longest of state"], stalls)])


def _stalls(reports: Sequence[Report]) -> Iterator[list[str]]:
    for kind in sorted({kind for report in reports for kind in report["faults"].keys() | report["stalls_s"].keys()}):
        longest = max((report["stalls_s"].get(kind, {}).get("state", 0.0) for report in reports), default=0.0)
        yield [kind, *(_stall(report, kind) for report in reports), _seconds(longest or None)]


def _stall(report: Report, kind: str) -> str:
    times, stalls = report["faults"].get(kind, 0), report["stalls_s"].get(kind, {})
    if not times and not stalls:
        return ""
    return f"{times}: " + " / ".join(_seconds(stalls.get(what)) for what in ("state", "others", "tasks"))


def _seconds(stall: float | None) -> str:
    return "-" if stall is None else f"{stall:.1f}"


def _ends(exits: dict[str, int]) -> str:
    killed = sum(times for code, times in exits.items() if code.startswith("-"))
    others = " ".join(f"{times} x {code}" for code, times in sorted(exits.items()) if not code.startswith("-"))
    return f"{killed}; {others or 0}"


def _peak(report: Report, kind: str) -> int:
    return max((mb for name, mb in report["peak_mb"].items() if name.startswith(kind)), default=0)


def _shown(figure: object) -> str:
    return f"{figure:,}" if isinstance(figure, int) else str(figure)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
