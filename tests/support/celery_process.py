"""Real Celery workers and dispatchers, which tests start, inspect and kill."""

from __future__ import annotations

import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.connection import connection_variables
from tests.support.topic_reader import PATIENCE_S, wait_until
from tests.support.warm_start import WARM, become_module

from triggers.settings import Settings

APP = "tests.support.celery_tasks"
FOREIGN = ("TRIGGERS_", "CELERY_", "DJANGO_")
"""Prefixes of variables that change what a worker does and that another test or the shell may have set."""
_ROOT = Path(__file__).parents[2]


class CeleryProcess:
    """A process `python -m …` with the settings in its environment. `with` starts it and kills it at the end.

    It is forked from a process that has imported Celery.
    """

    def __init__(self, settings: Settings, name: str, *arguments: str, **environment: str) -> None:
        self.folder = Path(settings.data_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{name}.log"
        self.notes_file = self.folder / "notes"
        self._arguments = arguments
        self._environment = _environment(settings) | {"TEST_NOTES": str(self.notes_file)} | environment
        self._process: BaseProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.exitcode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self) -> None:
        self.log.touch()
        arguments = (self._arguments, self._environment, _ROOT, self.log)
        self._process = WARM.Process(target=become_module, args=arguments, daemon=True)
        self._process.start()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Sends SIGKILL to the process and all of its children. Idempotent."""
        if self._process is None:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._process.kill()  # it has just started and has no group yet
        self._process.join()

    def terminate(self, timeout_s: float = PATIENCE_S) -> int:
        """Sends SIGTERM, waits for the end and returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.join(timeout_s)

    def join(self, timeout_s: float = PATIENCE_S) -> int:
        """Waits for the end and returns the exit code."""
        assert self._process is not None
        self._process.join(timeout_s)
        code = self._process.exitcode
        assert code is not None, f"does not end; {self.log}:\n{self.log_text()[-3000:]}"
        return code

    def wait_ready(self, timeout_s: float = PATIENCE_S) -> None:
        wait_until(lambda: "commands from" in self.log_text() or not self.running, f"ready; see {self.log}", timeout_s)
        assert self.running, self.log_text()[-3000:]

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def notes(self) -> list[str]:
        """Returns the lines that tasks have written."""
        return self.notes_file.read_text().splitlines() if self.notes_file.exists() else []


def celery_worker(settings: Settings, *options: str, name: str = "celery", **environment: str) -> CeleryProcess:
    """Returns a process that runs `celery -A … worker`."""
    quiet = ("--without-gossip", "--without-mingle", "--loglevel=INFO", f"--hostname={name}@%h")
    return CeleryProcess(settings, name, "celery", "-A", APP, "worker", *quiet, *options, **environment)


def dispatcher(settings: Settings, broker_url: str, name: str = "dispatcher", **more: str) -> CeleryProcess:
    """Returns a process that runs a dispatcher."""
    environment = {"TEST_BROKER_URL": broker_url, "TEST_DISPATCHED": "1"} | more
    return CeleryProcess(settings, name, "tests.support.celery_dispatcher", **environment)


def _environment(settings: Settings) -> dict[str, str]:
    variables = {
        **connection_variables(settings),
        "TRIGGERS_DATA_DIR": str(settings.data_dir),
        "TRIGGERS_CELERY_SESSION_TIMEOUT_S": str(settings.celery_session_timeout_s),
        "TRIGGERS_MAX_PAYLOAD_BYTES": str(settings.max_payload_bytes),
        "TRIGGERS_CELERY_PREFETCH": str(settings.celery_prefetch),
    }
    clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return clean | variables | {"PYTHONWARNINGS": "ignore"}
