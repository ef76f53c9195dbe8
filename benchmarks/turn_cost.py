"""Compares the instructions of an agent's turn with those of another commit: `python -m benchmarks.turn_cost COMMIT`.

Both packages are compiled, and callgrind counts them in turns. The figures do not depend on what else the machine does,
and differ by less than 0.3 % between runs. An event's turn begins with its record and ends with its rows and encoded
commands.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import click

from benchmarks.processes import ROOT
from benchmarks.report import table

_KINDS = {
    "four": "four events of a session in a batch",
    "json": "the same in plain JSON",
    "one": "one event of a session in a batch",
    "loaded": "the same, of a session that is not in the cache",
    "lives": "a page and both results of its task in a batch",
}
_CHECKOUTS = ROOT / "build/turn_cost"
_COLLECTED = re.compile(r"Collected : (\d+)")


def check_out(commit: str) -> Path:
    """Returns a folder with the files of a commit and its compiled package in `build/compiled`. It is kept."""
    name = _run(["git", "rev-parse", "--short", commit]).decode().strip()
    folder = _CHECKOUTS / name
    if not folder.is_dir():
        with tarfile.open(fileobj=io.BytesIO(_run(["git", "archive", name]))) as archive:
            archive.extractall(folder, filter="data")
    if not (folder / "build/compiled").is_dir():
        compile_package(folder)
    return folder


def compile_package(folder: Path) -> None:
    """Compiles the package of a checkout, which takes a minute or two."""
    wheel = folder / "build/wheel"
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheel)], folder)
    (built,) = wheel.glob("*.whl")
    _run([sys.executable, "-m", "zipfile", "-e", str(built), str(folder / "build/compiled")])


def count_instructions(checkout: Path, kind: str) -> float:
    """Returns thousands of instructions for an event. Raises RuntimeError."""
    return count_program(checkout, Path(__file__).parent / "programs/agent_turn.py", kind)


def count_program(checkout: Path, program: Path, kind: str) -> float:
    """Returns thousands of instructions for an event that a program counts with the compiled package of a checkout.

    The program turns counting on, and prints the number of events at last. Raises RuntimeError.
    """
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, str(program), kind]
    env = os.environ | {"PYTHONPATH": f"{checkout / 'build/compiled'}:{checkout}", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    counted = _COLLECTED.search(done.stderr)
    if done.returncode or counted is None:
        raise RuntimeError(f"callgrind has not counted {checkout}:\n{done.stderr[-2000:]}")
    return int(counted[1]) / int(done.stdout.split()[-1]) / 1000


def _run(command: list[str], folder: Path = ROOT) -> bytes:
    env = os.environ | {"HATCH_BUILD_HOOKS_ENABLE": "1"}
    return subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.PIPE).stdout


@click.command()
@click.argument("commit")
@click.option("--rounds", default=1, show_default=True, help="Number of times that each is counted.")
def main(commit: str, rounds: int) -> None:
    """Print thousands of instructions for an event at COMMIT and in this checkout, as `make compiled` has built it."""
    before = check_out(commit)
    rows = []
    for kind, title in _KINDS.items():
        pairs = [(count_instructions(before, kind), count_instructions(ROOT, kind)) for _ in range(rounds)]
        old, new = (min(figures) for figures in zip(*pairs, strict=True))
        rows.append((title, f"{old:.1f}", f"{new:.1f}", f"{new / old:.3f}"))
    click.echo(table(("thousands of instructions for an event", commit, "here", "ratio"), rows))


if __name__ == "__main__":
    main()
