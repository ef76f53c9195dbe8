"""Measures the old framework with whole sessions. Its state and locks are in Redis.

Its caller waits for every fire, so its figures are those of one busy caller.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec
import psutil

from benchmarks.environments import python_of
from benchmarks.processes import ROOT
from benchmarks.redis_server import run_redis_server
from benchmarks.throughput import Rate
from benchmarks.workload import RULES, page_events
from triggers.core.events import TriggerFired
from triggers.errors import SettingsError

NAME = "old framework on Redis"


class _Figures(msgspec.Struct):
    seconds: float
    cpu_s: float
    events: int
    resident_mb: float


@dataclass(frozen=True, slots=True)
class OldFramework:
    """A checkout of the old framework and an interpreter with its dependencies."""

    checkout: Path
    python: Path

    @classmethod
    def at(cls, checkout: Path) -> Self:
        """Makes the environment. Raises SettingsError if the folder is not a checkout."""
        if not (checkout / "triggers" / "locking.py").exists():
            raise SettingsError(f"OLD_FRAMEWORK={checkout} is not a checkout of eflglobal/triggers")
        return cls(checkout, python_of("old_framework"))

    def measure(self, pages: int, sessions: int) -> Rate:
        """Runs whole sessions on a Redis server that is started for them. Raises RuntimeError."""
        with TemporaryDirectory(prefix="triggers-bench-") as folder, run_redis_server(Path(folder)) as (url, server):
            before = _cpu(server.process)
            figures = self._run(url, pages, sessions)
            server_cpu = _cpu(server.process) - before
        return Rate(
            events_per_s=figures.events / figures.seconds,
            cpu_us_per_event=figures.cpu_s / figures.events * 1e6,
            broker_cpu_us_per_event=server_cpu / figures.events * 1e6,
            resident_mb=figures.resident_mb,
            events=figures.events,
            records_out=0,
        )

    def _run(self, url: str, pages: int, sessions: int) -> _Figures:
        command = [str(self.python), "-m", "benchmarks.programs.old_framework", url, str(pages), str(sessions)]
        path = f"{self.checkout}:{ROOT}"
        done = subprocess.run(
            command,
            input=_INPUT,
            capture_output=True,
            env={"PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{NAME}: {done.stderr.decode(errors='replace')[-2000:]}")
        return msgspec.json.decode(done.stdout, type=_Figures)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


_PAGES = [msgspec.Raw(event.kwargs) for event in page_events() if isinstance(event, TriggerFired)]
_INPUT = msgspec.json.encode(RULES) + b"\n" + msgspec.json.encode(_PAGES) + b"\n"
