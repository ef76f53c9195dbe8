"""The process trees of the campaign's workers and Celery workers, which it can stop, signal and kill."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from triggers.dev import child_process
from triggers.dev.stack import Service, Stack

_STOP_S = 45.0
_NOTABLE_MB = 20


class Machine:
    """A service of the stack with its child processes, which the campaign starts and stops."""

    def __init__(self, stack: Stack, service: Service) -> None:
        self.service = service
        self.peak_mb = 0
        """Peak memory of one of its processes, in MB."""
        self._stack = stack

    @property
    def is_up(self) -> bool:
        """True if the service is meant to run."""
        return self.service in self._stack.services

    def up(self) -> None:
        """Starts the service, and starts it again whenever it ends. Idempotent."""
        if not self.is_up:
            self._stack.start(self.service)

    def crash(self) -> None:
        """Sends SIGKILL to all of its processes at once. It stays down."""
        self._forget()
        if self.service.process is not None:
            child_process.kill(self.service.process)
            self.service.process.wait()

    def stop(self) -> int:
        """Sends SIGTERM, waits for the end and returns the exit code. It stays down."""
        self._forget()
        return 0 if self.service.process is None else child_process.stop(self.service.process, _STOP_S)

    def ask_to_stop(self) -> None:
        """Sends SIGTERM without waiting. It stays down."""
        self._forget()
        if self.service.process is not None and self.service.process.poll() is None:
            self.service.process.terminate()

    def children(self) -> list[int]:
        """Returns the ids of its first process's children, the oldest first."""
        return [] if self.service.process is None else list(_children(self.service.process.pid))

    def working(self) -> list[int]:
        """Returns the ids of the processes that do the work."""
        return self.children()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to all working processes."""
        for pid in self.working():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def measure(self) -> bool:
        """Updates `peak_mb`. Returns whether it has grown notably."""
        before, now = self.peak_mb, max(map(_resident_mb, {*self.working(), *self.children()}), default=0)
        self.peak_mb = max(before, now)
        return now > before + _NOTABLE_MB

    def _forget(self) -> None:
        if self.is_up:
            self._stack.services.remove(self.service)


class AgentMachine(Machine):
    """`triggers worker`: a supervisor and the worker that it restarts."""

    def __init__(self, stack: Stack, service: Service, port: int, folder: Path) -> None:
        super().__init__(stack, service)
        self.folder = folder
        """The worker's data folder."""
        self._port = port

    def working(self) -> list[int]:
        return [pid for pid in self.children() if b"spawn_main" in _command(pid)]

    def partitions(self) -> list[int] | None:
        """Returns the owned partitions, or None if the worker is not ready or does not answer."""
        answer = self._ask("/ready")
        return None if answer is None else list(json.loads(answer)["partitions"])

    def metrics(self) -> bytes:
        """Returns the metrics in Prometheus' text format, or nothing if the worker does not answer."""
        return self._ask("/metrics") or b""

    def _ask(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, OSError):
            return None


class CeleryMachine(Machine):
    """`celery worker` with a prefork pool."""

    def working(self) -> list[int]:
        return [] if self.service.process is None else [self.service.process.pid]


def _children(pid: int) -> Iterator[int]:
    for folder in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            yield from map(int, (folder / "children").read_text().split())


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _resident_mb(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20
