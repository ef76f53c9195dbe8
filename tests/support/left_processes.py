"""Finds processes that outlive the test that started them, even if their parent has ended.

It reads `/proc`, so it finds none on systems other than Linux."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

MARK = "LEFT_BY_TEST_RUN"
"""Name of a variable that every process that a test starts inherits."""
_OWN_MARK = "LEFT_BY_PROGRAM"


def wait_until_none_is_left(run: str, patience_s: float = 60) -> None:
    """Waits for the test run's processes to end. Fails with the command lines of those that do not."""
    deadline = time.monotonic() + patience_s
    while remaining := list(_with(f"{MARK}={run}")):
        assert time.monotonic() < deadline, "still running:\n" + "\n".join(remaining)
        time.sleep(0.1)


def make_mark() -> dict[str, str]:
    """Makes an environment variable by which `processes_of` finds a program and its descendants."""
    return {_OWN_MARK: uuid.uuid4().hex}


def find_processes(mark: dict[str, str]) -> Iterator[str]:
    """Yields the process id and command line of each process with the mark."""
    return _with(f"{_OWN_MARK}={mark[_OWN_MARK]}")


def _with(variable: str) -> Iterator[str]:
    mark = variable.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherited = mark in (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_left = inherited and bool(command) and not _is_ours(folder, command)
        except (OSError, psutil.NoSuchProcess):  # it has ended or belongs to another user
            continue
        if is_left:
            yield f"{folder.name} {command}"


def _is_ours(folder: Path, command: str) -> bool:
    """Returns whether this is the test run or a helper of `multiprocessing` that ends with it.

    A process that the fork server has forked is not a helper."""
    if int(folder.name) == os.getpid() or "multiprocessing.resource_tracker" in command:
        return True
    return "multiprocessing.forkserver" in command and psutil.Process(int(folder.name)).ppid() == os.getpid()
