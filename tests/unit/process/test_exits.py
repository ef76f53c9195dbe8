from __future__ import annotations

import subprocess
import sys

import pytest

from triggers.process.exits import ExitCode, describe_exit


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_code_says_what_it_means(code: ExitCode) -> None:
    assert describe_exit(code) == code.meaning
    assert len(code.meaning) > 10


def test_a_signal_and_an_unknown_exit_code_are_described_too() -> None:
    assert describe_exit(-9) == "killed by signal 9"
    assert describe_exit(3) == "an unknown exit code"


@pytest.mark.parametrize(
    ("code", "restarts"),
    [
        (ExitCode.OK, False),
        (ExitCode.MISFIT, False),
        (ExitCode.EVENTS_GONE, False),
        (ExitCode.SKIPPED, True),
        (ExitCode.FENCED, True),
        (ExitCode.BROKER, True),
        (ExitCode.CLOCK, True),
    ],
)
def test_only_exits_that_a_restart_may_fix_are_restarted(code: ExitCode, restarts: bool) -> None:
    assert code.restarts is restarts


def test_exiting_ends_the_process_with_the_code_and_logs_why() -> None:
    script = "from triggers.process.exits import *; exit_now(ExitCode.STORAGE, 'the disk is gone')"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert ended.returncode == 71
    assert "the disk is gone" in ended.stdout + ended.stderr


_A_THREAD_HANGS = """
import asyncio, time
from triggers.process.exits import *

async def serve():
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)
    await asyncio.sleep(0.1)
    with crash_only():
        raise {error}

with asyncio.Runner() as runner:
    runner.run(serve())
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [("Stop(ExitCode.STORAGE, 'corrupt')", ExitCode.STORAGE), ("KeyError('a bug')", ExitCode.ENGINE_BUG)],
)
def test_a_crash_ends_the_process_even_if_a_thread_hangs(error: str, code: ExitCode) -> None:
    script = _A_THREAD_HANGS.format(error=error)

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)

    assert ended.returncode == code
