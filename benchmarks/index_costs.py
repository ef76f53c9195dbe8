"""What the index of a partition costs an event, in instructions of the agent's turn.

    python -m benchmarks.index_costs

An agent with the index and one without it decide the same batches in turns. Instructions are counted by callgrind; they
do not depend on what else the machine does. Not counted are RocksDB and Kafka, which make an event more expensive in
either case, and so the share smaller.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys

import click
import psutil

from benchmarks.processes import ROOT

_COLLECTED = re.compile(r"Collected : (\d+)")


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def main(rounds: int) -> None:
    """Count the instructions of an event with and without the index."""
    counts: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(rounds):
        for mode, counted in counts.items():
            counted.append(_count(mode))
            click.echo(f"{mode} the index: {counted[-1]:,.0f} instructions per event")
    ratios = [more / less for less, more in zip(counts["without"], counts["with"], strict=True)]
    click.echo(f"the index costs {statistics.median(ratios) - 1:.1%} of an event")


def _count(mode: str) -> float:
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, "-m", "benchmarks.programs.indexed_batches", mode]
    env = psutil.Process().environ() | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    counted = _COLLECTED.search(done.stderr)
    if counted is None or not done.stdout:
        raise click.ClickException(f"callgrind has not counted: {done.stderr[-2000:]}")
    return int(counted[1]) / int(done.stdout)


if __name__ == "__main__":
    main()
