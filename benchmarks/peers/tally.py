"""Counts the tasks that have run, in files that the processes of a program share with the one that measures.

Each process maps a file of its own into memory, so that counting a task costs no system call. The sum of the tasks'
checksums tells whether exactly the expected tasks ran: none twice, and none for another page or session.

It imports the standard library only, because it also runs in the environments of other systems.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

FOLDER = "PEERS_TALLY"
"""Environment variable with the folder of the files."""

_HEAD = struct.Struct("<QQQ")
_LATENCY = struct.Struct("<d")
_BYTES = 8 * 2**20
_MODULUS = 2**64


def checksum(session: str, task: str, page: int) -> int:
    """Returns the checksum of a task. Page is 0 if the task does not belong to one."""
    return crc32(f"{session}/{task}/{page}".encode())


class TaskCounter:
    """Counts the tasks of this process. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        with (folder / f"tasks-{os.getpid()}").open("w+b") as file:
            file.truncate(_BYTES)
            self._map = mmap.mmap(file.fileno(), _BYTES)
        self._lock = threading.Lock()
        self._count = self._sum = self._latencies = 0

    def add(self, task: int, fired_at: float | None) -> None:
        """Counts a task by its checksum, and keeps the time since it was fired if that time is known."""
        with self._lock:
            if fired_at is not None:
                _LATENCY.pack_into(self._map, _HEAD.size + _LATENCY.size * self._latencies, time.time() - fired_at)
                self._latencies += 1
            self._count += 1
            self._sum = (self._sum + task) % _MODULUS
            _HEAD.pack_into(self._map, 0, self._count, self._sum, self._latencies)


_counters: dict[int, TaskCounter] = {}
"""The counter of each process by its id, so that a forked child does not write to its parent's file."""


def count_task(session: str, task: str, page: int = 0, fired_at: float | None = None) -> None:
    """Counts a task that has started. Every program calls this as the only work of its tasks."""
    counter = _counters.get(os.getpid())
    if counter is None:
        counter = _counters[os.getpid()] = TaskCounter(Path(os.environ[FOLDER]))
    counter.add(checksum(session, task, page), fired_at)


@dataclass(frozen=True, slots=True)
class Tally:
    """The tasks that have run so far, or that should run."""

    tasks: int = 0
    checksum: int = 0
    latencies: dict[str, list[float]] = field(default_factory=dict, compare=False)
    """Seconds from fire to start of the tasks that were fired with their time, by process."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.tasks + other.tasks, (self.checksum + other.checksum) % _MODULUS)

    def latencies_since(self, before: Tally) -> list[float]:
        """Returns the latencies of tasks that ran after another tally."""
        return [
            seconds
            for process, latencies in self.latencies.items()
            for seconds in latencies[len(before.latencies.get(process, ())) :]
        ]


def expected_tally(tasks: Iterable[tuple[str, str, int]]) -> Tally:
    """Returns the tally of tasks, each with its session, its name and its page."""
    sums = [checksum(*task) for task in tasks]
    return Tally(len(sums), sum(sums) % _MODULUS)


def read_tasks(folder: Path) -> int:
    """Returns the number of tasks that all processes have counted."""
    return sum(head[0] for _, head, _ in _heads(folder))


def read_tally(folder: Path) -> Tally:
    """Returns what all processes have counted."""
    total, latencies = Tally(), {}
    for process, (tasks, sums, count), content in _heads(folder):
        total += Tally(tasks, sums)
        latencies[process] = [_LATENCY.unpack_from(content, _HEAD.size + _LATENCY.size * n)[0] for n in range(count)]
    return Tally(total.tasks, total.checksum, latencies)


def _heads(folder: Path) -> Iterator[tuple[str, tuple[int, int, int], mmap.mmap]]:
    for path in folder.glob("tasks-*"):
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == _BYTES:  # otherwise its process is creating it
                with mmap.mmap(file.fileno(), _BYTES, access=mmap.ACCESS_READ) as content:
                    yield path.name, _HEAD.unpack_from(content), content
