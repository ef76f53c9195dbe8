"""Runs the measured programs as processes, and samples the cost of a program and of the broker in a thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psutil

from triggers.dev import child_process

ROOT = Path(__file__).parents[1]
_EVERY_S = 0.05


@dataclass(slots=True)
class Cost:
    """Samples of the CPU seconds and resident bytes of a process and its children, by time in seconds since 1970."""

    process: psutil.Process
    times: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def sample(self) -> None:
        """Takes a sample. Does nothing once the process has ended."""
        try:
            family = [self.process, *self.process.children(recursive=True)]
            used = sum(map(_cpu_of, family))
            resident = sum(member.memory_info().rss for member in family)
        except psutil.NoSuchProcess:
            return
        self.times.append(time.time())
        self.cpu_s.append(used)
        self.resident.append(resident)

    def cpu_between(self, start: float, end: float) -> float:
        """Returns the CPU seconds used between two moments, interpolated between samples."""
        return self._cpu_at(end) - self._cpu_at(start)

    def _cpu_at(self, moment: float) -> float:
        after = min(max(bisect_left(self.times, moment), 1), len(self.times) - 1)
        t0, t1 = self.times[after - 1 : after + 1]
        c0, c1 = self.cpu_s[after - 1 : after + 1]
        return c0 + (c1 - c0) * min(max((moment - t0) / (t1 - t0), 0.0), 1.0)


def cpu_seconds(process: psutil.Process) -> float:
    """Returns the CPU seconds of a process and its children, including children that have ended."""
    return sum(map(_cpu_of, [process, *process.children(recursive=True)]))


def _cpu_of(process: psutil.Process) -> float:
    """Returns the CPU seconds of a process and of those children that have ended."""
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:  # it has just ended, and its parent has its time
        return 0.0
    return sum(used[:4])


@contextmanager
def watch_costs(*processes: psutil.Process) -> Iterator[list[Cost]]:
    """Samples the costs of processes until the block ends."""
    costs = [Cost(process) for process in processes]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY_S):
            for cost in costs:
                cost.sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield costs
    finally:
        stop.set()
        thread.join()


@dataclass(slots=True)
class Running:
    """A started program."""

    name: str
    process: psutil.Process
    child: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises RuntimeError with the end of its log if the program has ended."""
        if (code := self.child.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self.log.read_text(errors='replace')[-3000:]}")


@contextmanager
def run_python(
    name: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    python: Path | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Running]:
    """Starts `python …` in the root of the project, as `run_command` does."""
    with run_command(name, [str(python or sys.executable), *arguments], folder, env) as program:
        yield program


@contextmanager
def run_command(
    name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Running]:
    """Starts a command and kills it when the block ends. Its output goes to a file in the folder."""
    log = folder / f"{name}.log"
    environment = psutil.Process().environ() | {"PYTHONWARNINGS": "ignore"} | dict(env)
    with log.open("ab") as output:
        child = child_process.start(command, output=output, env=environment, cwd=ROOT)
    try:
        yield Running(name, psutil.Process(child.pid), child, log)
    finally:
        child_process.kill(child)
        child.wait()


def find_broker() -> psutil.Process | None:
    """Returns the broker that this process has started, or None if it does not run on Java on this machine."""
    return next((child for child in psutil.Process().children() if child.name() == "java"), None)
