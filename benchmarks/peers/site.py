"""A running installation of a system, to which lots of events are fired and whose CPU time is read by process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import psutil

from benchmarks.peers.lots import Lot
from benchmarks.peers.tally import Tally, read_tally, read_tasks
from benchmarks.processes import Running, cpu_seconds, run_python

CALLER = "caller"
"""Name of the program that fires the events, in the figures by process."""
_POLL_INTERVAL_S = 0.02
_STALLED_S = 120.0
_SURPLUS_S = 0.5
"""Seconds in which a task that runs twice may still show up."""


class Fired(msgspec.Struct, frozen=True):
    """What the program that fires events prints."""

    started_at: float
    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LotRun:
    """A lot whose tasks have all run."""

    tasks: int
    seconds: float
    """Time from the first event to the end of the last task, or to its result on Kafka where there is one."""
    cpu_s: dict[str, float]
    """CPU time by process."""
    latencies: list[float]


@dataclass(slots=True, kw_only=True)
class Site:
    """The started processes of a system."""

    folder: Path
    """Folder of the tally and of the lots."""
    caller: Sequence[str]
    """Arguments of Python with which the program that fires a lot starts. The lot and the rate are appended."""
    processes: Mapping[str, psutil.Process]
    """The processes whose CPU time is read, with their children."""
    programs: Sequence[Running]
    """The programs that must not end."""
    python: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    await_results: Callable[[int], float] | None = None
    """Waits until the results of all tasks so far are on Kafka, and returns the time of the last one."""
    expected: Tally = field(default_factory=Tally)
    """The tally after all lots so far."""

    def run(self, lot: Lot, rate: float = 0, patience_s: float = _STALLED_S) -> LotRun:
        """Fires a lot and waits until its tasks have run. Raises RuntimeError if other tasks ran than those."""
        file = self.folder / "lot.jsonl"
        lot.write(file)
        before, cpu_before = read_tally(self.folder), self._cpu()
        self.expected += lot.expected
        with self._start_caller(file, rate) as caller:
            self._await_tasks(caller, patience_s)
            finished_at = self.await_results(self.expected.tasks) if self.await_results else time.time()
            cpu_after = self._cpu()
            caller.child.wait()
            fired = msgspec.json.decode(caller.log.read_bytes().splitlines()[-1], type=Fired)
        after = self._checked_tally()
        caller.log.unlink()
        cpu_s = {name: cpu_after[name] - cpu for name, cpu in cpu_before.items()} | {CALLER: fired.cpu_s}
        return LotRun(
            tasks=lot.expected.tasks,
            seconds=finished_at - fired.started_at,
            cpu_s=cpu_s,
            latencies=after.latencies_since(before),
        )

    def _start_caller(self, lot: Path, rate: float) -> AbstractContextManager[Running]:
        arguments = [*self.caller, str(lot), str(rate)]
        return run_python(CALLER, arguments, self.folder, python=self.python or Path(sys.executable), env=self.env)

    def _await_tasks(self, caller: Running, patience_s: float) -> None:
        seen, moved_at = 0, time.monotonic()
        while (tasks := read_tasks(self.folder)) < self.expected.tasks:
            if tasks > seen:
                seen, moved_at = tasks, time.monotonic()
            for program in self.programs:
                program.check()
            if caller.child.poll():
                caller.check()
            if time.monotonic() - moved_at > patience_s:
                raise RuntimeError(f"no task has run for {patience_s:.0f} s, after {tasks} of {self.expected.tasks}")
            time.sleep(_POLL_INTERVAL_S)

    def _checked_tally(self) -> Tally:
        """Returns the tally a moment later, so that a task that has run twice shows up. Raises RuntimeError."""
        time.sleep(_SURPLUS_S)
        tally = read_tally(self.folder)
        if tally != self.expected:
            raise RuntimeError(
                f"{tally.tasks} tasks have run, expected {self.expected.tasks}"
                if tally.tasks != self.expected.tasks
                else f"{tally.tasks} tasks have run, but not those of the rules"
            )
        return tally

    def _cpu(self) -> dict[str, float]:
        return {name: cpu_seconds(process) for name, process in self.processes.items()}


class Peer(Protocol):
    """A system that is compared."""

    name: str

    def prepare(self) -> None:
        """Downloads what is missing. Raises SettingsError that says what to install."""

    def start(self, brokers: str, folder: Path) -> AbstractContextManager[Site]:
        """Starts an installation that ends with the block. Raises RuntimeError or a TriggersError."""
