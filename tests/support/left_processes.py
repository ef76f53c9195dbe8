"""Processes that outlive the test that started them, also those whose parent is gone. Linux only; none elsewhere."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

MARK = "LEFT_BY_TEST_RUN"
"""Every process that a test starts inherits this variable, whoever its parent is by now."""
_OWN_MARK = "LEFT_BY_PROGRAM"


def wait_until_none_is_left(run: str, patience_s: float = 60) -> None:
    """Fails with the command lines of those that do not end by themselves."""
    deadline = time.monotonic() + patience_s
    while left := list(_with(f"{MARK}={run}")):
        assert time.monotonic() < deadline, "left behind:\n" + "\n".join(left)
        time.sleep(0.1)


def run_mark() -> dict[str, str]:
    """An environment variable by which `processes_of` finds a program and all that comes of it."""
    return {_OWN_MARK: uuid.uuid4().hex}


def processes_of(mark: dict[str, str]) -> Iterator[str]:
    """Process id and command line of each."""
    return _with(f"{_OWN_MARK}={mark[_OWN_MARK]}")


def _with(variable: str) -> Iterator[str]:
    mark = variable.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherited = mark in (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_left = inherited and bool(command) and not _is_ours(folder, command)
        except (OSError, psutil.NoSuchProcess):  # it has ended, or belongs to somebody else
            continue
        if is_left:
            yield f"{folder.name} {command}"


def _is_ours(folder: Path, command: str) -> bool:
    """The test run itself, and the helpers of `multiprocessing` that end with it. What one has forked is none."""
    if int(folder.name) == os.getpid() or "multiprocessing.resource_tracker" in command:
        return True
    return "multiprocessing.forkserver" in command and psutil.Process(int(folder.name)).ppid() == os.getpid()
