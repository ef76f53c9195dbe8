"""The short fault campaigns of CI. `make chaos` runs long ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROCESS_FAULTS = ("agent killed", "agent stopped", "clock off by seconds", "disk wiped", "Celery worker killed")
GROUP_FAULTS = ("offset lookups late", "guests come and go")

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("broker"), pytest.mark.timeout(280)]


def campaign(folder: Path, *options: str, faults: Sequence[str]) -> dict[str, Any]:
    """Runs a campaign and returns its report."""
    chosen = [*options, "--agents=2", "--no-census", f"--folder={folder}", "--json"]
    program = [sys.executable, "-X", "faulthandler", "-m", "tests.chaos"]  # says where a crash of a C library came from
    command = [*program, *chosen, *(f"--fault={name}" for name in faults)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout)
    faulty = {name: report[name] for name in ("lost", "wrong", "samples") if report[name]}
    assert (faulty, report["drained"]) == ({}, True), json.dumps(faulty, indent=1)
    assert done.returncode == 0
    return report


def test_a_short_fault_campaign_finds_nothing_lost_or_wrong(tmp_path: Path) -> None:
    report = campaign(
        tmp_path / "report", "--seed=295", "--duration=20", "--rate=60", "--ruled=0.6", faults=PROCESS_FAULTS
    )

    assert report["commands"] > 300
    assert report["faults"].keys() == set(PROCESS_FAULTS)
    assert report["published_rules"] > 5
    assert report["sessions_with_published_rules"] > 20
    assert report["timers"] > 50
    assert report["forwards"] > 0


def test_late_answers_and_members_that_come_and_go_lose_none_of_a_thousand_events_per_second(tmp_path: Path) -> None:
    report = campaign(
        tmp_path / "report", "--seed=8", "--duration=14", "--rate=20", "--light=1000", faults=GROUP_FAULTS
    )

    assert report["published"] > 5_000
    assert report["faults"] == dict.fromkeys(GROUP_FAULTS, 1)
