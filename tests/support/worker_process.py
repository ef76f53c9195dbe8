"""Real worker processes for tests: started, asked, killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec
from tests.support.topic_reader import wait_until

from triggers.dev.ports import free_ports
from triggers.settings import Settings


class WorkerProcess:
    """A worker of its own process; `with` starts it and leaves nothing behind."""

    def __init__(
        self, settings: Settings, name: str, log: Path | None = None, plant: Callable[[], None] | None = None
    ) -> None:
        """`plant`: what to change in the worker's process before it starts, for a fault that nothing else causes."""
        self.name = name
        self._plant = plant
        (port,) = free_ports(1)
        self.settings = msgspec.structs.replace(settings, worker_id=name, web_port=port)
        self.log = log or Path(settings.data_dir) / f"{name}.log"
        self._process: BaseProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"{self.name}:\n{self.log_text()[-5000:]}")
        if self.running:
            self.kill()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.exitcode is None

    @property
    def data(self) -> Path:
        """The worker's own folder."""
        return Path(self.settings.data_dir) / self.name

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_live, args=(self.settings, str(self.log), self._plant), daemon=True)
        self._process.start()

    def wait_ready(self, timeout_s: float = 60) -> None:
        wait_until(lambda: self.get("/ready")[0] == 200, f"{self.name} is ready; see {self.log}", timeout_s)

    def kill(self) -> None:
        """SIGKILL, at whatever moment."""
        self._signal(signal.SIGKILL)
        self.join()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self._signal(signal.SIGTERM)
        return self.join()

    def join(self, timeout_s: float = 60) -> int:
        """Wait for the end; the exit code."""
        assert self._process is not None
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"{self.name} does not end; see {self.log}"
        return self._process.exitcode

    def get(self, path: str) -> tuple[int, Any]:
        """(status, JSON body); status 0: nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.web_port}{path}", timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except (urllib.error.URLError, OSError):
            return 0, None

    def raw(self, path: str) -> bytes:
        """The body, whatever it is; an HTTP error's too."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.web_port}{path}", timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.read()

    def session(self, uid: str, **query: object) -> tuple[int, Any]:
        """The session's view as the worker serves it."""
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return self.get(f"/sessions/{quote(uid, safe='')}" + (f"?{parameters}" if parameters else ""))

    def partitions(self) -> list[int]:
        """Owned partitions; empty when the worker is not ready."""
        status, body = self.get("/ready")
        return body["partitions"] if status == 200 else []

    def log_text(self) -> str:
        return self.log.read_text()

    def metric(self, name: str) -> float:
        """A metric's value, the sum over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.web_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def peak_mb(self) -> int:
        """The most memory that it had so far, as the kernel counts it."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def _signal(self, number: int) -> None:
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _live(settings: Settings, log: str, plant: Callable[[], None] | None) -> None:
    from triggers.processing.app import run_worker  # noqa: PLC0415  # in the worker's process only

    with Path(log).open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
        if plant is not None:
            plant()
        sys.exit(run_worker(settings, 0))
