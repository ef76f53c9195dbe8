"""Notices that an application's code has changed, so that its Celery workers can be started again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

_EVERY_S = 1.0
_SHARE = 0.05
"""Maximum share of the time that it spends reading the times of files."""
_NOT_CODE = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})


class CodeWatch:
    """Compares the times of the Python files below a folder, once per second at most, and less often for many files.

    It looks at files instead of waiting for the operating system's events: that needs no library, and it works on
    network and container mounts, where such events get lost. Hidden folders and environments are left out.
    """

    def __init__(self, folder: Path, every_s: float = _EVERY_S) -> None:
        self._folder = folder
        self._every_s = every_s
        self._next_look = 0.0
        self._seen = self._modification_times()

    def changed(self) -> list[str]:
        """Returns the files that were written, added or removed since the last call, as paths within the folder."""
        if time.monotonic() < self._next_look:
            return []
        now = self._modification_times()
        names = [path for path in {**self._seen, **now} if self._seen.get(path) != now.get(path)]
        self._seen = now
        return sorted(os.path.relpath(path, self._folder) for path in names)

    def _modification_times(self) -> dict[str, tuple[int, int]]:
        began = time.monotonic()
        times = dict(_python_files(self._folder))
        ended = time.monotonic()
        self._next_look = ended + max(self._every_s, (ended - began) / _SHARE)
        return times


def _python_files(folder: Path | str) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # it was removed meanwhile, or is not ours
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in _NOT_CODE:
                yield from _python_files(entry.path)
        elif entry.name.endswith(".py"):
            try:
                stat = entry.stat()
            except OSError:  # as above
                continue
            yield entry.path, (stat.st_mtime_ns, stat.st_size)
