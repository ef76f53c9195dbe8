"""Processes that outlive the test that started them, also those whose parent is gone. Linux only; none elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "LEFT_BY_TEST_RUN"
"""Every process that a test starts inherits this variable, whoever its parent is by now."""


def wait_until_none_is_left(run: str, patience_s: float = 10) -> None:
    """Fails with the command lines of those that do not end by themselves."""
    deadline = time.monotonic() + patience_s
    while left := list(_of_run(run)):
        assert time.monotonic() < deadline, "left behind:\n" + "\n".join(left)
        time.sleep(0.1)


def _of_run(run: str) -> Iterator[str]:
    mark = f"{MARK}={run}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherited = mark in (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended, or belongs to somebody else
            continue
        if inherited and command and not _is_ours(folder, command):
            yield f"{folder.name} {command}"


def _is_ours(folder: Path, command: str) -> bool:
    """The test run itself, and the helper of `multiprocessing` that ends with it."""
    return int(folder.name) == os.getpid() or "multiprocessing.resource_tracker" in command
