"""The whole installation on one machine: a broker, the topics, workers, Celery workers.

Own code, because the process managers of PyPI (honcho, circus) neither restart what died nor keep children from
outliving a parent that is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from triggers.client.topics import create_topics
from triggers.dev import child_process
from triggers.dev.relay import Relay
from triggers.settings import PREFIX, Settings

_PATIENCE_S = 20.0
_SHORT_LIFE_S = 3.0


@dataclass(slots=True)
class Service:
    """One process of the stack, and how to start it again."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float | None = None


class Stack:
    """Processes that are started together, watched, and stopped in reverse order. Use it from one thread."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.services: list[Service] = []

    def start(self, service: Service) -> None:
        """Start a process and watch it from now on."""
        self.services.append(service)
        self._launch(service)

    def watch(self) -> None:
        """Look once after every process; start what has died again, after a moment if it did not live long."""
        now = time.monotonic()
        for service in self.services:
            code = service.process.poll() if service.process else None
            if code is not None:
                pause = 1.0 if now - service.started_at < _SHORT_LIFE_S else 0.0
                self._relay.write(service.name, f"ended with code {code}; it is started again")
                service.process, service.restart_at = None, now + pause
            if service.restart_at is not None and now >= service.restart_at:
                self._launch(service)

    def stop(self) -> None:
        """Stop everything, the last started first. Nothing is left behind."""
        for service in reversed(self.services):
            if service.process is not None:
                child_process.stop(service.process, _PATIENCE_S)
        self.services.clear()

    def _launch(self, service: Service) -> None:
        env = {**os.environ, **service.env}
        service.restart_at, service.started_at = None, time.monotonic()
        service.process = child_process.start(service.command, output=subprocess.PIPE, env=env, cwd=service.cwd)
        if service.process.stdout is not None:
            self._relay.follow(service.name, service.process.stdout)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The settings as `TRIGGERS_*`, for a child process."""
    names = settings.__struct_fields__
    return {PREFIX + name.upper(): str(getattr(settings, name)) for name in names} | more


def worker_service(settings: Settings, slot: int, port: int) -> Service:
    """A worker with a slot, a folder and a port of its own."""
    own = {"TRIGGERS_WEB_PORT": str(port), "TRIGGERS_WORKER_ID": f"worker-{slot}"}
    folder = str(settings.data_dir / f"worker-{slot}")
    command = [sys.executable, "-m", "triggers.cli", "worker", "--data-dir", folder]
    return Service(f"worker-{slot}", command, environment(settings) | own)


def console_service(settings: Settings, port: int) -> Service:
    """The console, for this machine's browsers."""
    return Service(
        "console", [sys.executable, "-m", "triggers.cli", "console", "--port", str(port)], environment(settings)
    )


def celery_service(settings: Settings, app: str, number: int, env: Mapping[str, str], cwd: Path) -> Service:
    """A Celery worker of the app."""
    name = f"celery-{number}"
    command = [sys.executable, "-m", "celery", "-A", app, "worker", "-c", "2", "-l", "WARNING", "-n", f"{name}@%h"]
    return Service(name, command, {**environment(settings), **env}, cwd)


def make_topics(settings: Settings, relay: Relay) -> None:
    """Topics of the namespace, those that are missing."""
    made = create_topics(settings)
    relay.write("topics", f"created {', '.join(made)}" if made else "all there")
