"""`python -m tests.chaos.mutate` checks that campaigns fail if a fault is planted in the agents, and only then."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import click
import msgspec
from tests.chaos.mutations import MUTATIONS, Mutation

_NONE = Mutation("none", (), ("agent killed", "agent stopped", "disk wiped", "Celery worker killed"))


class _Report(msgspec.Struct):
    lost: dict[str, int]
    wrong: dict[str, int]
    drained: bool
    gaps: dict[str, int]


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--duration", type=float, default=45, show_default=True, help="Seconds of faults of each campaign.")
@click.option("--only", multiple=True, help="Use only mutations whose name contains this text.")
def main(seed: int, duration: float, only: tuple[str, ...]) -> None:
    """Plant each fault, run a campaign and print what it caught."""
    chosen = [m for m in (_NONE, *MUTATIONS) if not only or any(part in m.name for part in only)]
    missed = [mutation.name for mutation in chosen if not _is_as_it_must_be(mutation, seed, duration)]
    click.echo(f"not caught: {', '.join(missed)}" if missed else "every planted fault was caught, and nothing else")
    sys.exit(bool(missed))


def _is_as_it_must_be(mutation: Mutation, seed: int, duration: float) -> bool:
    with tempfile.TemporaryDirectory(prefix="chaos-mutation-") as folder:
        report = _campaign(mutation, seed, duration, Path(folder))
    found = " ".join(
        f"{count} {what} {how}," for how in ("lost", "wrong") for what, count in getattr(report, how).items()
    )
    rest = "" if report.drained else "; not drained, so some things were not checked"
    click.echo(f"{mutation.name}: {found.rstrip(',') or 'nothing lost, nothing wrong'}{rest}")
    is_clean = not (report.lost or report.wrong)
    if mutation.is_healed:
        return is_clean and _is_counted(report)
    return is_clean is (mutation is _NONE)


def _is_counted(report: _Report) -> bool:
    """Returns whether the agents' metrics count events that were skipped and fetched again."""
    click.echo(f"  gaps that the agents have examined: {report.gaps}")
    return report.gaps.get("skipped", 0) > 0


def _campaign(mutation: Mutation, seed: int, duration: float, folder: Path) -> _Report:
    package, report = mutation.plant(folder / "copy"), folder / "report"
    options = [
        f"--seed={seed}",
        f"--duration={max(duration, mutation.least_s)}",
        f"--calm={mutation.calm_s}",
        f"--folder={report}",
        f"--package={package}",
        "--drain=120",
        "--agents=2",
        f"--rate={mutation.events_per_s}",
        f"--light={mutation.light_per_s}",
        f"--ruled={mutation.ruled}",
        "--no-census",
    ]
    faults = [f"--fault={name}" for name in mutation.faults]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *options, *faults], capture_output=True, text=True, check=False
    )
    written = report / "report.json"
    if not written.exists():
        raise click.ClickException(f"the campaign with {mutation.name!r} did not end:\n{done.stderr[-3000:]}")
    return msgspec.json.decode(written.read_bytes(), type=_Report)


if __name__ == "__main__":
    main()
