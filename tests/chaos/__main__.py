"""`python -m tests.chaos`: a fault campaign. Ends with 0 when nothing was lost and nothing wrong, else with 1."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from tests.chaos.campaign import run
from tests.chaos.disks import own_mounts
from tests.chaos.faults import FAULTS
from tests.chaos.plan import Plan
from tests.chaos.report import dumped, show


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Decides which fault strikes when.")
@click.option(
    "--duration", type=float, default=120, show_default=True, help="Seconds of faults; draining comes on top."
)
@click.option("--agents", type=click.IntRange(1), default=3, show_default=True)
@click.option("--celery-workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--brokers", type=click.Choice(["1", "3"]), default="1", show_default=True)
@click.option("--rate", type=float, default=80, show_default=True, help="Events a second that applications publish.")
@click.option("--dispatcher", is_flag=True, help="Through a dispatcher and Redis.")
@click.option("--fault", "faults", multiple=True, type=click.Choice(list(FAULTS)), help="Only these, repeatable.")
@click.option("--package", type=click.Path(path_type=Path), help="Folder with a copy of the package for the agents.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("chaos-report"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON; it is in report.json anyway.")
def main(brokers: str, duration: float, rate: float, folder: Path, as_json: bool, **options: object) -> None:
    """Break everything that can break, by a schedule that the seed decides, and check that nothing is lost or wrong."""
    own_mounts()
    plan = Plan(brokers=int(brokers), duration_s=duration, events_per_s=rate, folder=folder.absolute(), **options)  # type: ignore[arg-type]  # click has checked them
    outcome = run(plan)
    report = dumped(outcome)
    (folder / "report.json").write_text(report + "\n")
    if as_json:
        click.echo(report)
    else:
        show(outcome, Console(width=110))
    sys.exit(not outcome.is_clean)


if __name__ == "__main__":
    main()
