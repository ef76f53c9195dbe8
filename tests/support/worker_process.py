"""Real worker processes for tests: started, asked, killed."""

from __future__ import annotations

import json
import multiprocessing
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

from triggers.settings import Settings

_WARM = multiprocessing.get_context("forkserver")
"""A worker is forked from a process that has imported everything and done nothing else: a second of CPU time less."""
_WARM.set_forkserver_preload(["tests.support.worker_process", "triggers.processing.app"])


class WorkerEnded(AssertionError):
    """A worker was asked that has ended."""


class WorkerProcess:
    """A worker of its own process; `with` starts it and leaves nothing behind."""

    def __init__(
        self, settings: Settings, name: str, log: Path | None = None, plant: Callable[[], None] | None = None
    ) -> None:
        """`plant`: what to change in the worker's process before it starts, for a fault that nothing else causes."""
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
        """The worker's own folder."""
        return Path(self.settings.data_dir) / self.name

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self._process = _WARM.Process(target=_live, args=(self.settings, str(self.log), self._plant), daemon=True)
        self._url = None
        self._process.start()
        _STARTED.add(self)

    @property
    def url(self) -> str | None:
        """Where this very process listens; None: nowhere yet, or no more."""
        return self._url or self._find_url()

    def wait_ready(self, timeout_s: float = PATIENCE_S) -> None:
        """Until it owns its share of the partitions and has restored them."""
        wait_until(lambda: self.get("/ready")[0] == 200, f"{self.name} is ready; see {self.log}", timeout_s)

    def kill(self) -> None:
        """SIGKILL, at whatever moment."""
        self._signal(signal.SIGKILL)
        self.join()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self._signal(signal.SIGTERM)
        return self.join()

    def join(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end; the exit code."""
        assert self._process is not None
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"{self.name} does not end; see {self.log}"
        _STARTED.discard(self)
        return self._process.exitcode

    def get(self, path: str) -> tuple[int, Any]:
        """(status, JSON body), as soon as it listens. Raises WorkerEnded when nobody is there to answer any more."""
        status, body = self._ask(path)
        return status, json.loads(body)

    def raw(self, path: str) -> bytes:
        """The body, whatever it is; an HTTP error's too. Otherwise like `get`."""
        return self._ask(path)[1]

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
        lines = self.raw("/metrics").decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def peak_mb(self) -> int:
        """The most memory that it had so far, as the kernel counts it."""
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
        """The answer, or nothing."""
        url = self.url
        try:
            if url is not None:
                with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310  # the worker's
                    yield answer.status, answer.read()
        except urllib.error.HTTPError as error:
            yield error.code, error.read()
        except (OSError, HTTPException):
            return

    def _find_url(self) -> str | None:
        """The kernel knows which port it has given to this process; a port that was chosen before may be another's."""
        assert self._process is not None
        try:
            sockets = psutil.Process(self._process.pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            return None
        ports = [one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN]
        self._url = f"http://127.0.0.1:{ports[0]}" if ports else None
        return self._url

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


_STARTED = set[WorkerProcess]()


def workers_of(settings: Settings) -> list[WorkerProcess]:
    """All workers of the installation that were started here and that no test has ended."""
    return [worker for worker in _STARTED if worker.settings.namespace == settings.namespace]
