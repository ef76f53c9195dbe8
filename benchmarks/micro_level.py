"""Runs `benchmarks/micro` with pytest-benchmark and returns CPU time per event."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import psutil

from benchmarks.compiled import agent_environment
from benchmarks.processes import ROOT

_FOLDER = "benchmarks/micro"


class Steps(msgspec.Struct, frozen=True):
    """Microseconds of CPU per event."""

    min: float
    median: float
    max: float


class _Benchmark(msgspec.Struct):
    name: str
    stats: Steps
    extra_info: dict[str, int]


class _Report(msgspec.Struct):
    benchmarks: list[_Benchmark]


def measure_steps() -> dict[str, Steps]:
    """Runs every benchmark and returns the results by name. Raises RuntimeError."""
    with TemporaryDirectory(prefix="triggers-bench-") as folder:
        report = Path(folder) / "report.json"
        options = ["--benchmark-timer=time.process_time", f"--benchmark-json={report}", "-q", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", _FOLDER, *options]
        env = psutil.Process().environ() | agent_environment()
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the micro level failed:\n{done.stdout[-3000:]}")
        benchmarks = msgspec.json.decode(report.read_bytes(), type=_Report).benchmarks
    return {each.name.removeprefix("test_"): _per_event(each) for each in benchmarks}


def _per_event(benchmark: _Benchmark) -> Steps:
    scale = 1e6 / benchmark.extra_info["events"]
    return Steps(*(round(value * scale, 2) for value in msgspec.structs.astuple(benchmark.stats)))
