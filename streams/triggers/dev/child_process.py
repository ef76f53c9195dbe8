"""Child processes that do not outlive their parent, and their output on one terminal."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import IO, TextIO

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
    return subprocess.Popen(
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


_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


class Relay:
    """Prints lines as they arrive. Thread-safe."""

    def __init__(self, out: TextIO | None = None, width: int = 12) -> None:
        self._out = out or sys.stdout
        self._width = width
        self._lock = threading.Lock()
        self._colours = cycle(_COLOURS) if self._out.isatty() else None

    def follow(self, name: str, stream: IO[bytes]) -> None:
        """Start a thread that prints everything from the stream until it is closed."""
        colour = next(self._colours) if self._colours else None
        threading.Thread(target=self._copy, args=(name, colour, stream), daemon=True, name=f"relay-{name}").start()

    def write(self, name: str, line: str, colour: int | None = None) -> None:
        prefix = f"{name:<{self._width}} |"
        shown = prefix if colour is None else f"\x1b[{colour}m{prefix}\x1b[0m"
        with self._lock:
            self._out.write(f"{shown} {line}\n")
            self._out.flush()

    def _copy(self, name: str, colour: int | None, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self.write(name, line.decode(errors="replace").rstrip(), colour)
