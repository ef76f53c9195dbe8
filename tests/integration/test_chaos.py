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
RULE_FAULTS = ("agent killed", "clock off by seconds", "disk wiped", "pool child killed")
PROCESS_FAULTS = ("agent killed", "agent stopped", "disk wiped", "Celery worker killed", "pool child killed")
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
    assert (report["lost"], report["wrong"], report["drained"]) == ({}, {}, True), report
    assert done.returncode == 0
    return report


def test_a_short_fault_campaign_finds_nothing_lost_or_wrong(tmp_path: Path) -> None:
    report = campaign(tmp_path / "report", "--seed=7", "--duration=15", "--rate=60", faults=PROCESS_FAULTS)

    assert report["commands"] > 300
    assert sum(report["faults"].values()) >= 3


def test_late_answers_and_members_that_come_and_go_lose_none_of_a_thousand_events_per_second(tmp_path: Path) -> None:
    report = campaign(
        tmp_path / "report", "--seed=8", "--duration=14", "--rate=20", "--light=1000", faults=GROUP_FAULTS
    )

    assert report["published"] > 5_000
    assert report["faults"] == dict.fromkeys(GROUP_FAULTS, 1)


def test_published_rules_and_timers_of_seconds_survive_kills_and_clocks_that_are_off(tmp_path: Path) -> None:
    report = campaign(tmp_path / "report", "--seed=10", "--duration=28", "--rate=40", "--ruled=0.9", faults=RULE_FAULTS)

    assert report["faults"].keys() == set(RULE_FAULTS)
    assert report["published_rules"] >= 6
    assert report["sessions_with_published_rules"] > 20
    assert report["timers"] > 50
    assert report["forwards"] > 0
