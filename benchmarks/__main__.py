"""`python -m benchmarks`: measure, print tables, write results/latest.json."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from benchmarks.contenders import AGENT, FEW, MANY, PASSTHROUGH, TRANSACTIONAL
from benchmarks.machine import machine
from benchmarks.report import rates
from benchmarks.side_by_side import Runs, cpu_ratio, side_by_side, speed_ratio
from triggers.dev.broker import running_broker

RESULTS = Path(__file__).parent / "results" / "latest.json"


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="Interleaved runs of everything.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, help="Where the figures go.")
def main(rounds: int, results: Path) -> None:
    """Measure on a Kafka of its own."""
    found = {"machine": machine()}
    with running_broker() as brokers:
        throughput = {
            workload.name: side_by_side((PASSTHROUGH, TRANSACTIONAL, AGENT), workload, rounds, brokers, click.echo)
            for workload in (FEW, MANY)
        }
    for name, runs in throughput.items():
        click.echo(f"\n{name}\n\n{rates(runs)}")
    document = {**found, "summary": _summary(throughput), "throughput": throughput}
    results.parent.mkdir(exist_ok=True)
    results.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def _summary(throughput: dict[str, Runs]) -> dict[str, float]:
    return {
        "ratio_to_passthrough": speed_ratio(throughput[MANY.name], AGENT.name, PASSTHROUGH.name),
        "ratio_to_passthrough_1000_in_flight": speed_ratio(throughput[FEW.name], AGENT.name, PASSTHROUGH.name),
        "cpu_ratio_to_passthrough": cpu_ratio(throughput[MANY.name], AGENT.name, PASSTHROUGH.name),
        "cpu_ratio_to_passthrough_1000_in_flight": cpu_ratio(throughput[FEW.name], AGENT.name, PASSTHROUGH.name),
    }


if __name__ == "__main__":
    main()
