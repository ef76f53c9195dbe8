"""Runs all processes of an installation on one machine: workers, the HTTP API, the console, Celery workers.

We have our own process manager because those of PyPI (honcho, circus) neither restart a process that died nor prevent
children from outliving a killed parent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from triggers.analysis.input_file import InputFile
from triggers.core.commands import QUEUE_NAME
from triggers.dev import child_process
from triggers.dev.child_process import Relay
from triggers.errors import CallError
from triggers.kafka.topics import create_topics
from triggers.process.exits import ExitCode
from triggers.settings import PREFIX, Settings

_PATIENCE_S = 20.0
_SHORT_LIFE_S = 3.0
_SHORT_LIVES = 5
"""Number of short lives in a row after which a process is not started again."""
_NO_RESTART = frozenset({ExitCode.EVENTS_GONE, ExitCode.MISFIT})
"""Exit codes of a worker for which a restart does not help."""
_WITHOUT_ROOT_WARNING = ("-W", "ignore:You're running the worker with superuser privileges")


@dataclass(slots=True)
class Service:
    """A process of the stack with the command that starts it."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    metrics_port: int | None = None
    """Port of its metrics; 0 if they need a port of their own; None if it has none."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float | None = None
    short_lives: int = 0


class Stack:
    """Starts, watches and stops processes. Not thread-safe."""

    def __init__(self, relay: Relay, prepare: Callable[[Service], Service] = lambda service: service) -> None:
        """`prepare` is called with each service before its start, and returns the one to start."""
        self._relay = relay
        self._prepare = prepare
        self.services: list[Service] = []

    def start(self, service: Service) -> None:
        """Start a process; `watch` will restart it when it dies."""
        prepared = self._prepare(service)
        self.services.append(prepared)
        self._launch(prepared)

    def watch(self) -> None:
        """Check every process once, and restart those that died. Call it repeatedly; it does not block.

        A process that lived for less than three seconds is restarted after a pause of one second. After five such lives
        in a row, or with an exit code that says so, it is not started again.
        """
        now = time.monotonic()
        for service in self.services:
            code = service.process.poll() if service.process else None
            if code is not None:
                self._on_end(service, code, now)
            if service.restart_at is not None and now >= service.restart_at:
                self._launch(service)

    def replace(self, names: Sequence[str], services: Sequence[Service]) -> None:
        """Stop the services of these names, and start others. Blocks until the old ones have ended."""
        old = [service for service in self.services if service.name in names]
        self.services = [service for service in self.services if service.name not in names]
        for service in old:
            if service.process is not None:
                service.process.terminate()  # all at once; `stop` waits for each
        for service in old:
            if service.process is not None:
                child_process.stop(service.process, _PATIENCE_S)
        for service in services:
            self.start(service)

    def _on_end(self, service: Service, code: int, now: float) -> None:
        is_short = now - service.started_at < _SHORT_LIFE_S
        service.short_lives = service.short_lives + 1 if is_short else 0
        service.process = None
        if code in _NO_RESTART:
            self._relay.write(service.name, f"ended with code {code}, which a restart cannot fix; it stays down")
        elif service.short_lives >= _SHORT_LIVES:
            lives = f"{_SHORT_LIVES} times within {_SHORT_LIFE_S:.0f} s of its start"
            self._relay.write(service.name, f"ended with code {code}, {lives}; it stays down")
        else:
            self._relay.write(service.name, f"ended with code {code}; restarting it")
            service.restart_at = now + (1.0 if is_short else 0.0)

    def stop(self) -> None:
        """Stop all processes in reverse order. Blocks until they have ended."""
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
    """Return the settings as variables `TRIGGERS_*` of a child process. A setting without a value has none."""
    values = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return {PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None} | more


def worker_service(settings: Settings, slot: int, port: int) -> Service:
    """Return the service of a worker with its slot, folder and port."""
    env = {"TRIGGERS_WEB_PORT": str(port), "TRIGGERS_WORKER_ID": f"worker-{slot}"}
    folder = str(settings.data_dir / f"worker-{slot}")
    command = [sys.executable, "-m", "triggers.cli", "worker", "--data-dir", folder]
    return Service(f"worker-{slot}", command, environment(settings) | env, metrics_port=port)


def console_service(settings: Settings, port: int, *options: str) -> Service:
    """Return the service of the console on a port of 127.0.0.1."""
    command = [sys.executable, "-m", "triggers.cli", "console", "--port", str(port), *options]
    return Service("console", command, environment(settings), metrics_port=0)


def queues_of(rules: Path) -> list[str]:
    """Return the queues that the rules in a file name. An invalid file has none; publishing it reports why."""
    try:
        tasks = json.loads(InputFile(rules).read()).values()
    except (CallError, ValueError, AttributeError):
        return []
    names = [task.get("queue") for task in tasks if isinstance(task, dict)]
    return sorted({name for name in names if isinstance(name, str) and QUEUE_NAME.fullmatch(name)})


def api_service(settings: Settings, port: int) -> Service:
    """Return the service of the HTTP API on a port of 127.0.0.1."""
    command = [sys.executable, "-m", "triggers.cli", "api", "serve", "--host", "127.0.0.1", "--port", str(port)]
    return Service("api", command, environment(settings), metrics_port=0)


def rules_service(settings: Settings, rules: Path) -> Service:
    """Return the service that publishes the rules of a file for all sessions, again whenever the file changes."""
    options = ("--default", "--existing", "adopt", "--watch")
    command = [sys.executable, "-m", "triggers.cli", "rules", "publish", rules.stem, str(rules), *options]
    return Service("rules", command, environment(settings))


def celery_service(settings: Settings, app: str, name: str, env: Mapping[str, str], cwd: Path) -> Service:
    """Return the service of a Celery worker of the app."""
    celery = [sys.executable, *_WITHOUT_ROOT_WARNING, "-m", "celery", "--quiet", "-A", app]
    command = [*celery, "worker", "-c", "2", "-l", "WARNING", "-n", f"{name}@%h"]
    return Service(name, command, {**environment(settings), **env}, cwd, metrics_port=0)


def make_topics(settings: Settings, relay: Relay, rules: Path | None) -> None:
    """Create the missing topics of the namespace, with those of the queues that a file of rules names."""
    created = create_topics(settings)
    if rules is not None and (queues := queues_of(rules)):
        created += create_topics(settings, queues=queues)
    relay.write("topics", f"created {', '.join(created)}" if created else "all topics exist")
