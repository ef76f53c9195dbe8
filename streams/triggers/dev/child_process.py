"""Child processes that do not outlive their parent, even if it is killed."""

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
    """Start a command in a new process group. With `output`, standard error goes there, too.

    On Linux the kernel kills the child when the thread that started it ends, so call this from a thread that lives as
    long as the child.
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
    """Stop the process and return its exit code. Blocks for at most `patience_s`, then kills its whole group.

    The process may have ended already.
    """
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    kill(process)
    return process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Send SIGKILL to the process and everything in its group. Does nothing if the group is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
