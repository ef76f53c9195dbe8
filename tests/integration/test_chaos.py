"""A short fault campaign, as CI runs it; `make chaos` runs the long ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = ("agent killed", "agent stopped", "disk wiped", "Celery worker killed", "pool child killed")

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("broker"), pytest.mark.timeout(280)]


def test_a_short_fault_campaign_loses_nothing_and_gets_nothing_wrong(tmp_path: Path) -> None:
    options = ["--seed=7", "--duration=15", "--rate=60", "--agents=2", f"--folder={tmp_path / 'report'}", "--json"]
    command = [sys.executable, "-m", "tests.chaos", *options, *(f"--fault={name}" for name in FAULTS)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.stdout, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert (report["lost"], report["wrong"], report["drained"]) == ({}, {}, True), report
    assert done.returncode == 0
    assert report["commands"] > 300
    assert sum(report["faults"].values()) >= 3
