"""What is measured runs in a process of its own; a thread notes what that process and the broker cost."""

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
    """CPU seconds and resident bytes of a process, its children included, over time (seconds since 1970)."""

    process: psutil.Process
    times: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def note(self) -> None:
        """One sample. A process that has ended is no longer noted."""
        try:
            family = [self.process, *self.process.children(recursive=True)]
            used = [member.cpu_times() for member in family]
            resident = sum(member.memory_info().rss for member in family)
        except psutil.NoSuchProcess:
            return
        self.times.append(time.time())
        self.cpu_s.append(sum(each.user + each.system for each in used))
        self.resident.append(resident)

    def cpu_between(self, start: float, end: float) -> float:
        """CPU seconds used from one moment to another, interpolated between samples."""
        return self._cpu_at(end) - self._cpu_at(start)

    def _cpu_at(self, moment: float) -> float:
        after = min(max(bisect_left(self.times, moment), 1), len(self.times) - 1)
        t0, t1 = self.times[after - 1 : after + 1]
        c0, c1 = self.cpu_s[after - 1 : after + 1]
        return c0 + (c1 - c0) * min(max((moment - t0) / (t1 - t0), 0.0), 1.0)


@contextmanager
def watched(*processes: psutil.Process) -> Iterator[list[Cost]]:
    """Note what the processes cost while the block runs."""
    costs = [Cost(process) for process in processes]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY_S):
            for cost in costs:
                cost.note()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield costs
    finally:
        stop.set()
        thread.join()


@dataclass(slots=True)
class Running:
    """A program that was started."""

    name: str
    process: psutil.Process
    child: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise RuntimeError with the end of its log when it has ended."""
        if (code := self.child.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self.log.read_text(errors='replace')[-3000:]}")


@contextmanager
def running(
    name: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    python: Path | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Running]:
    """`python …` from the root of the project; see `running_command`."""
    with running_command(name, [str(python or sys.executable), *arguments], folder, env) as program:
        yield program


@contextmanager
def running_command(
    name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Running]:
    """A command, killed when the block ends; its output goes to a file in the folder."""
    log = folder / f"{name}.log"
    environment = psutil.Process().environ() | {"PYTHONWARNINGS": "ignore"} | dict(env)
    with log.open("ab") as output:
        child = child_process.start(command, output=output, env=environment, cwd=ROOT)
    try:
        yield Running(name, psutil.Process(child.pid), child, log)
    finally:
        child_process.kill(child)
        child.wait()


def broker_process() -> psutil.Process | None:
    """The broker that this process has started itself, if it is one that runs on Java here."""
    return next((child for child in psutil.Process().children() if child.name() == "java"), None)
