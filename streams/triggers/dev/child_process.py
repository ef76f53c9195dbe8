"""Child processes that do not outlive their parent, whatever ends it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str | Path],
    *,
    output: int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, its standard error joined to its output.

    On Linux the kernel kills it when the thread that started it ends, so start it from a thread that lives as long.
    """
    return subprocess.Popen(  # noqa: S603  # our own commands
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509  # it only makes one system call
    )


def stop(process: subprocess.Popen[bytes], patience_s: float) -> int:
    """Ask the process to end, kill it and what it started if it does not; its exit code. Fine when it has ended."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    kill(process)
    return process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and everything in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
