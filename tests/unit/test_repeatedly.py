"""The table of `make test-repeatedly` names the failed runs and their tests."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from tests import repeatedly

LOG = """\
....F...
FAILED tests/integration/test_hooks.py::test_hooks - AssertionError: not within 90 s
1 failed, 7 passed in 300.12s
make: *** [Makefile:52: test] Error 1
"""


def test_a_failed_run_names_its_tests(tmp_path: Path) -> None:
    log = tmp_path / "run-3.log"
    log.write_text(LOG)

    row = repeatedly.Run(3, log, 412.4, 6.04, code=2).row()

    assert row == (
        "| 3 | 412 | 6.0 | FAILED tests/integration/test_hooks.py::test_hooks; make: *** [Makefile:52: test] Error 1 |"
    )


def test_a_run_that_fails_and_names_nothing_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "run-1.log"
    log.write_text("Segmentation fault\n")

    assert f"| {log} |" in repeatedly.Run(1, log, 1.0, 1.0, code=2).row()


def test_a_target_is_run_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Makefile").write_text("fails:\n\t@echo FAILED test_this; exit 3\n")
    monkeypatch.chdir(tmp_path)

    run = repeatedly.run_once(1, "fails", tmp_path / "run-1.log")

    assert run.code == 2
    assert "FAILED test_this" in run.row()


def test_the_busy_processes_are_gone_at_the_end() -> None:
    before = psutil.Process().children()

    with repeatedly.busy_processes(2):
        assert len(psutil.Process().children()) == len(before) + 2

    assert psutil.Process().children() == before
