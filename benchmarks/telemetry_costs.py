"""Counts the instructions that metrics and traces add to an agent's turn: `python -m benchmarks.telemetry_costs`.

The package is used as `make compiled` has built it. Callgrind counts the variants in turns; the figures do not depend
on what else the machine does, and differ by less than 0.3 % between runs.
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.processes import ROOT
from benchmarks.report import table
from benchmarks.turn_cost import count_program

_VARIANTS = {
    "uncounted": "without metrics",
    "plain": "with metrics, and no event has a context",
    "unsampled": "each event has a context that is not sampled",
    "sampled": "each event has a sampled context, and nothing is exported",
    "exported": "the same, and spans are made for an exporter",
}
_PROGRAM = Path(__file__).parent / "programs/measured_turn.py"


@click.command()
@click.option("--rounds", default=2, show_default=True, help="Number of times that each variant is counted.")
def main(rounds: int) -> None:
    """Print thousands of instructions for an event, and their ratios to those with metrics alone."""
    counted: dict[str, list[float]] = {variant: [] for variant in _VARIANTS}
    for _ in range(rounds):
        for variant, figures in counted.items():
            figures.append(count_program(ROOT, _PROGRAM, variant))
    least = {variant: min(figures) for variant, figures in counted.items()}
    rows = [(title, f"{least[name]:.1f}", f"{least[name] / least['plain']:.3f}") for name, title in _VARIANTS.items()]
    click.echo(table(("one event of a session in a batch", "thousands of instructions", "ratio"), rows))


if __name__ == "__main__":
    main()
