"""`python -m tests.chaos`: a fault campaign. Ends with 0 when nothing was lost and nothing wrong, else with 1."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from tests.chaos.campaign import run
from tests.chaos.disks import own_mounts
from tests.chaos.faults import FAMILIES, FAULTS
from tests.chaos.plan import Plan
from tests.chaos.report import dumped, show

_FOLDER = click.Path(path_type=Path, resolve_path=True)


@click.command(context_settings={"show_default": True})
@click.option("--seed", type=int, default=1, help="Decides which fault strikes when.")
@click.option("--duration", "duration_s", type=float, default=120, help="Seconds of faults; draining comes on top.")
@click.option("--agents", type=click.IntRange(1), default=3)
@click.option("--celery-workers", type=click.IntRange(1), default=2)
@click.option("--brokers", type=click.Choice([1, 3]), default=1)
@click.option("--rate", "events_per_s", type=float, default=80, help="Events a second that applications publish.")
@click.option(
    "--light", "light_per_s", type=float, default=0, help="More events a second, few of which cause commands."
)
@click.option("--dispatcher", is_flag=True, help="Through a dispatcher and Redis.")
@click.option("--calm", "calm_s", type=float, default=0, help="Seconds of calm after each fault, to measure its stall.")
@click.option("--fault", "faults", multiple=True, type=click.Choice(list(FAULTS)), help="Only these, repeatable.")
@click.option("--family", "families", multiple=True, type=click.Choice(FAMILIES), help="Only faults of these families.")
@click.option("--package", type=_FOLDER, help="Folder with a copy of the package for the agents.")
@click.option("--drain", "drain_s", type=float, default=240, help="Most seconds of waiting for the rest.")
@click.option("--census/--no-census", default=True, help="Compare lags with what is unfinished, at the end.")
@click.option("--folder", type=_FOLDER, default=Path("chaos-report"), help="For logs, data and report.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def main(as_json: bool, faults: tuple[str, ...], families: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401  # the fields of a plan
    """Break everything that can break, by a schedule that the seed decides, and check that nothing is lost or wrong."""
    own_mounts()
    plan = Plan(**options, faults=(*faults, *(name for name, fault in FAULTS.items() if fault.family in families)))
    outcome = run(plan)
    report = dumped(outcome)
    (plan.folder / "report.json").write_text(report + "\n")
    if as_json:
        click.echo(report)
    else:
        show(outcome, Console(width=110))
    sys.exit(not outcome.is_clean)


if __name__ == "__main__":
    main()
