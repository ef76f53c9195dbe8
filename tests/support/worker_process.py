"""Real worker processes, which tests start, query and kill."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec
import psutil
from tests.support.topic_reader import PATIENCE_S, wait_until
from tests.support.warm_start import WARM

from triggers.settings import Settings


class WorkerEnded(AssertionError):
    """Raised when a worker is queried that has ended."""


class WorkerProcess:
    """A worker in a separate process. `with` starts it and kills it at the end."""

    def __init__(
        self, settings: Settings, name: str, log: Path | None = None, plant: Callable[[], None] | None = None
    ) -> None:
        """`plant` runs in the worker's process before it starts, to plant a fault that nothing else causes."""
        self.name = name
        self._plant = plant
        self.settings = msgspec.structs.replace(settings, worker_id=name, web_port=0)
        self.log = log or Path(settings.data_dir) / f"{name}.log"
        self._process: BaseProcess | None = None
        self._url: str | None = None

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
        _STARTED.discard(self)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.exitcode is None

    @property
    def data(self) -> Path:
        """The worker's data folder."""
        return Path(self.settings.data_dir) / self.name

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self._process = WARM.Process(target=_live, args=(self.settings, str(self.log), self._plant), daemon=True)
        self._url = None
        self._process.start()
        _STARTED.add(self)

    @property
    def url(self) -> str | None:
        """The address at which this process listens, or None before and after."""
        return self._url or self._find_url()

    def wait_ready(self, timeout_s: float = PATIENCE_S) -> None:
        """Waits until it owns its share of the partitions and has restored them."""
        wait_until(lambda: self.get("/ready")[0] == 200, f"{self.name} is ready; see {self.log}", timeout_s)

    def kill(self) -> None:
        """Sends SIGKILL and waits for the end."""
        self._signal(signal.SIGKILL)
        self.join()

    def terminate(self) -> int:
        """Sends SIGTERM, waits for the end and returns the exit code."""
        self._signal(signal.SIGTERM)
        return self.join()

    def join(self, timeout_s: float = PATIENCE_S) -> int:
        """Waits for the end and returns the exit code."""
        assert self._process is not None
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"{self.name} does not end; see {self.log}"
        _STARTED.discard(self)
        return self._process.exitcode

    def get(self, path: str) -> tuple[int, Any]:
        """Returns (status, JSON body). Waits until the worker listens. Raises WorkerEnded if it has ended."""
        status, body = self._ask(path)
        return status, json.loads(body)

    def raw(self, path: str) -> bytes:
        """Returns the undecoded body, also that of an HTTP error. Otherwise like `get`."""
        return self._ask(path)[1]

    def session(self, uid: str, **query: object) -> tuple[int, Any]:
        """Returns the session's view as the worker serves it."""
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return self.get(f"/sessions/{quote(uid, safe='')}" + (f"?{parameters}" if parameters else ""))

    def partitions(self) -> list[int]:
        """Returns the owned partitions. Empty if the worker is not ready."""
        status, body = self.get("/ready")
        return body["partitions"] if status == 200 else []

    def log_text(self) -> str:
        return self.log.read_text()

    def metric(self, name: str) -> float:
        """Returns the sum of a metric over its labels."""
        lines = self.raw("/metrics").decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def peak_mb(self) -> int:
        """Returns the peak of its resident memory in MB, as the kernel counts it."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def _ask(self, path: str) -> tuple[int, bytes]:
        answers: list[tuple[int, bytes]] = []

        def answered() -> bool:
            if not self.running:
                raise WorkerEnded(f"{self.name} does not run and cannot answer {path}:\n{self.log_text()[-3000:]}")
            answers.extend(self._try(path))
            return bool(answers)

        wait_until(answered, f"{self.name} answers {path}; see {self.log}")
        return answers[0]

    def _try(self, path: str) -> Iterator[tuple[int, bytes]]:
        """Yields the answer, or nothing if no process listens."""
        url = self.url
        try:
            if url is not None:
                with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310  # the URL is the worker's
                    yield answer.status, answer.read()
        except urllib.error.HTTPError as error:
            yield error.code, error.read()
        except (OSError, HTTPException):
            return

    def _find_url(self) -> str | None:
        """Returns the address of the port on which this process listens, as the kernel knows it."""
        assert self._process is not None
        try:
            sockets = psutil.Process(self._process.pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            return None
        ports = [connection.laddr.port for connection in sockets if connection.status == psutil.CONN_LISTEN]
        self._url = f"http://127.0.0.1:{ports[0]}" if ports else None
        return self._url

    def _signal(self, number: int) -> None:
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _live(settings: Settings, log: str, plant: Callable[[], None] | None) -> None:
    from triggers.worker.app import run_worker  # noqa: PLC0415  # imported in the worker's process only

    with Path(log).open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
        if plant is not None:
            plant()
        sys.exit(run_worker(settings, 0))


_STARTED = set[WorkerProcess]()


def workers_of(settings: Settings) -> list[WorkerProcess]:
    """Returns the workers of the installation that this process has started and not ended."""
    return [worker for worker in _STARTED if worker.settings.namespace == settings.namespace]
