"""`python -m benchmarks` measures, prints tables and writes results/latest.json."""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf
from pathlib import Path

import click
import msgspec

from benchmarks.earlier_runs import add_rounds, keep
from benchmarks.plan import FULL, QUICK
from benchmarks.report import report
from benchmarks.suite import SECTIONS, Figures, Suite
from benchmarks.summary import Summary, summarise
from triggers.dev.broker import running_broker

RESULTS = Path(__file__).parent / "results"


class Document(Figures, kw_only=True):
    """The content of `latest.json`: the figures and their summary."""

    summary: Summary


@click.command()
@click.option("--full", is_flag=True, help="Measure five rounds and a million sessions, in an hour instead of minutes.")
@click.option("--only", "sections", type=click.Choice(list(SECTIONS)), multiple=True, help="Section to measure.")
@click.option("--rounds", type=click.IntRange(1), help="Number of rounds, each with a run of every program.")
@click.option("--minutes", type=float, default=inf, help="Time after which no other system is measured.")
@click.option("--add", is_flag=True, help="Add the rounds of other systems and programs to those of the last run.")
@click.option(
    "--results", type=click.Path(path_type=Path), default=RESULTS, help="Folder for latest.json and latest.md."
)
@click.option(
    "--old-framework", type=click.Path(path_type=Path), envvar="OLD_FRAMEWORK", help="Checkout to compare with."
)
def main(
    *,
    full: bool,
    sections: tuple[str, ...],
    rounds: int | None,
    minutes: float,
    add: bool,
    results: Path,
    old_framework: Path | None,
) -> None:
    """Measure on a Kafka that is started for it. Sections that are left out keep the figures of their last run."""
    plan = FULL if full else QUICK
    if rounds:
        plan = replace(plan, rounds=rounds, latency_rounds=rounds, celery_rounds=rounds, peer_rounds=rounds)
    with running_broker(java_options=()) as brokers:
        suite = Suite(plan, brokers, old_framework, click.echo, time.monotonic() + 60 * minutes)
        figures = suite.run(sections or list(SECTIONS))
    latest = results / "latest.json"
    if sections and latest.exists():
        before = msgspec.json.decode(latest.read_bytes(), type=Figures)
        if add:
            add_rounds(before, figures)
        keep(before, figures)
    write(figures, results)
    click.echo("\n" + (results / "latest.md").read_text())


def write(figures: Figures, results: Path) -> None:
    """Writes figures and summary to latest.json, and the tables to latest.md."""
    document = Document(summary=summarise(figures), **msgspec.structs.asdict(figures))
    results.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(document), indent=1)
    (results / "latest.json").write_bytes(encoded + b"\n")
    (results / "latest.md").write_text(report(figures, document.summary))


if __name__ == "__main__":
    main()
