"""Capsules as tests, through `replay` and as pytest collects them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.property.test_replayed_logs import random_log

from triggers.analysis.verify.capsules import capture
from triggers.testing.replay import CapsuleDiffers, replay


@pytest.fixture
def capsule(tmp_path: Path) -> Path:
    path = tmp_path / "q-1.capsule.json"
    path.write_bytes(capture("q-1", random_log(3)))
    return path


def spoil(capsule: Path) -> None:
    capsule.write_text(capsule.read_text().replace('"scheduled"', '"skipped"', 1))


def test_replay_returns_the_session_or_names_the_differences(capsule: Path) -> None:
    assert replay(capsule).view.uid == "q-1"

    spoil(capsule)

    with pytest.raises(CapsuleDiffers, match=r'does not replay as captured:\nstep .*expected .*"skipped"'):
        replay(capsule)


def test_replay_with_other_rules_leaves_the_assertions_to_the_test(capsule: Path) -> None:
    spoil(capsule)

    replayed = replay(str(capsule), rules={"t_new": {"after": ["a"], "run": "app.new"}})

    assert [task.name for task in replayed.view.tasks] == ["t_new"]


def test_pytest_collects_capsules_and_shows_the_differences(capsule: Path) -> None:
    bad = capsule.with_name("bad.capsule.json")
    bad.write_bytes(capsule.read_bytes())
    spoil(bad)
    broken = capsule.with_name("broken.capsule.json")
    broken.write_text("{}")

    settings = capsule.with_name("pytest.ini")  # so that pytest does not use this repository's settings
    settings.write_text("[pytest]\n")

    options = ["-c", str(settings), "-p", "no:cacheprovider", "-p", "no:asyncio"]
    command = [sys.executable, "-m", "pytest", *options, str(capsule.parent)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert "2 failed, 1 passed" in run.stdout
    assert 'expected [["t_' in run.stdout
    assert "not a capsule: Object missing required field" in run.stdout
    assert "Traceback" not in run.stdout


def test_a_run_without_capsules_does_not_import_the_package() -> None:
    program = "import sys, triggers_pytest; print('triggers' in sys.modules)"

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"
