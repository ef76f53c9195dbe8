"""A counter goes to standard error of a terminal, and to nothing else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from triggers.cli.progress import show_count

PROGRAM = "from triggers.cli.progress import show_count; print(sum(show_count(range(1000), 'reading', 1000)))"


def test_a_terminal_shows_the_count_and_standard_output_has_only_the_result() -> None:
    controller, terminal = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    with os.fdopen(terminal, "wb") as stderr:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=stderr, env=env, text=True, check=True
        )
        shown = os.read(controller, 65536).decode()
    os.close(controller)

    assert done.stdout == "499500\n"
    assert "reading" in shown
    assert "1000/1000" in shown or "500/1000" in shown


@pytest.mark.parametrize("total", [None, 3])
def test_in_a_pipe_nothing_is_shown(total: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(show_count(iter("abc"), "reading", total)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
