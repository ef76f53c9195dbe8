"""`make test-repeatedly`: a target of the Makefile again and again beside other load, and a table of the runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import click

from triggers.dev import child_process

POLL_INTERVAL_S = 5.0
BUSY = "while True: pass"
HEAD = "| run | seconds | load of the machine | result |\n|---|---|---|---|"


@dataclass
class Run:
    """One of them, as far as it is over."""

    number: int
    log: Path
    seconds: float
    load: float
    """How many processes ran or wanted to, on average; those of the run itself count."""
    code: int

    def row(self) -> str:
        """Return the run's row of the Markdown table."""
        told = (
            "well" if self.code == 0 else "; ".join(failures(self.log.read_text(errors="replace")) or [str(self.log)])
        )
        return f"| {self.number} | {self.seconds:.0f} | {self.load:.1f} | {told} |"


@click.command()
@click.option("--runs", default=10, show_default=True, help="How often.")
@click.option("--load", default=4, show_default=True, help="Processes that keep the machine busy meanwhile.")
@click.option("--target", default="test", show_default=True, help="Of the Makefile.")
@click.option("--folder", default="build/repeated", show_default=True, type=click.Path(path_type=Path))
def main(runs: int, load: int, target: str, folder: Path) -> None:
    """Run it so often; the output of each run is a file in the folder. Exit code 1 if one of them failed."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(HEAD)
    with busy_processes(load):
        codes = [tell(run_once(number, target, folder / f"run-{number}.log")) for number in range(1, runs + 1)]
    sys.exit(any(codes))


def tell(run: Run) -> int:
    """Print its row; its exit code."""
    click.echo(run.row())
    return run.code


def run_once(number: int, target: str, log: Path) -> Run:
    """Run the target to its end."""
    started, loads = time.monotonic(), [os.getloadavg()[0]]
    with log.open("wb") as output:
        process = child_process.start(["make", target], output=output)
        try:
            while (code := ended(process)) is None:
                loads.append(os.getloadavg()[0])
        finally:
            child_process.kill(process)
    return Run(number, log, time.monotonic() - started, mean(loads), code)


def ended(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code, or None after a while."""
    try:
        return process.wait(POLL_INTERVAL_S)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many that never wait for anything."""
    processes = [child_process.start([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            child_process.kill(process)
            process.wait()


def failures(log: str) -> list[str]:
    """What pytest and make name as failed."""
    return [line.split(" - ")[0] for line in log.splitlines() if line.startswith(("FAILED ", "ERROR ", "make: *** "))]


if __name__ == "__main__":
    main()
