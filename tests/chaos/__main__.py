"""`python -m tests.chaos` runs a fault campaign. It exits with 0 if nothing was lost or wrong, else with 1."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from tests.chaos.campaign import run
from tests.chaos.disks import own_mounts
from tests.chaos.faults import FAMILIES, FAULTS
from tests.chaos.plan import Plan
from tests.chaos.report import dump_json, print_report

_FOLDER = click.Path(path_type=Path, resolve_path=True)


@click.command(context_settings={"show_default": True})
@click.option("--seed", type=int, default=1, help="Seed of the schedule of faults.")
@click.option("--duration", "duration_s", type=float, default=120, help="Seconds of faults, without the time to drain.")
@click.option("--agents", type=click.IntRange(1), default=3)
@click.option("--celery-workers", type=click.IntRange(1), default=2)
@click.option("--brokers", type=click.Choice([1, 3]), default=1)
@click.option("--rate", "events_per_s", type=float, default=80, help="Events per second that applications publish.")
@click.option(
    "--light", "light_per_s", type=float, default=0, help="Additional events per second, few of which cause commands."
)
@click.option(
    "--ruled",
    type=click.FloatRange(0, 1),
    default=0.3,
    help="Share of the rate for sessions with published rules or with rules of edition 2 and their timers.",
)
@click.option("--dispatcher", is_flag=True, help="Run tasks through a dispatcher and Redis.")
@click.option("--calm", "calm_s", type=float, default=0, help="Quiet seconds after each fault, to measure its stall.")
@click.option("--fault", "faults", multiple=True, type=click.Choice(list(FAULTS)), help="Fault to use. Repeatable.")
@click.option("--family", "families", multiple=True, type=click.Choice(FAMILIES), help="Faults to use, by family.")
@click.option("--package", type=_FOLDER, help="Folder with the copy of the package that agents run.")
@click.option("--drain", "drain_s", type=float, default=240, help="Maximum number of seconds to drain.")
@click.option("--census/--no-census", default=True, help="At the end, compare lags with the unfinished records.")
@click.option("--folder", type=_FOLDER, default=Path("chaos-report"), help="Folder for logs, data and report.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def main(as_json: bool, faults: tuple[str, ...], families: tuple[str, ...], **options: Any) -> None:
    """Cause faults by a schedule that the seed decides, and check that nothing is lost or wrong."""
    faulthandler.enable()  # says where a crash of a C library comes from
    own_mounts()
    plan = Plan(**options, faults=(*faults, *(name for name, fault in FAULTS.items() if fault.family in families)))
    outcome = run(plan)
    report = dump_json(outcome)
    (plan.folder / "report.json").write_text(report + "\n")
    if as_json:
        click.echo(report)
    else:
        print_report(outcome, Console(width=110))
    sys.exit(not outcome.is_clean)


if __name__ == "__main__":
    main()
