"""The questionnaire, end to end: producers, workers, Celery workers, and a check that asks the databases."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import consumer_lag
from triggers.dev import child_process
from triggers.dev.example import APP, example_environment, examples_folder
from triggers.dev.ports import free_ports
from triggers.dev.stack import Stack, celery_service, worker_service
from triggers.errors import TriggersError, TryAgain
from triggers.settings import Settings
from triggers.topology import Topology

_LOOK_EVERY_S = 0.5
_STALLED_S = 90.0
_QUIET_LOOKS = 3
_COUNT_UP_TO = 500


class DemoFailed(TriggersError):
    """The demo did not get to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the demo does."""

    sessions: int = 200
    seed: int = 1
    agents: int = 2
    celery_workers: int = 1
    producers: int = 2
    kill: bool = False
    """SIGKILL one of the agents in the middle."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Records that are not processed yet."""

    events: int = 0
    commands: int = 0


class Report(Struct):
    """What the databases say; made by the example's `check.py`."""

    table: list[tuple[str, int, int]]
    """What, expected, found."""
    problems: list[str]
    repeated: int
    """Executions beyond the first of a task."""
    tasks: int
    sample: str
    """UID of a session worth looking at."""


@dataclass(slots=True)
class Progress:
    """What is known while it runs."""

    published: int = 0
    publish_s: float = 0.0
    seconds: float = 0.0
    lag: Lag = Lag()
    largest: Lag = Lag()
    killed: bool = False


class Demo:
    """One run on a broker that is there. Use it from one thread."""

    def __init__(self, plan: Plan, settings: Settings, stack: Stack, browser_service: int) -> None:
        self.plan = plan
        self.progress = Progress()
        self._settings = settings
        self._stack = stack
        self._data = settings.data_dir / "questionnaire"
        self._data.mkdir(parents=True, exist_ok=True)
        self._env = example_environment(self._data, browser_service)

    def start(self) -> None:
        """Workers and Celery workers."""
        for slot, port in enumerate(free_ports(self.plan.agents)):
            self._stack.start(worker_service(self._settings, slot, port))
        for number in range(self.plan.celery_workers):
            self._stack.start(celery_service(self._settings, APP, number, self._env, examples_folder()))

    def run(self, tell: Callable[[Progress], None]) -> None:
        """Publish, and wait until nothing is left to do. Raises DemoFailed when nothing moves any more."""
        started = moved = time.monotonic()
        producers = [self._producer(share) for share in range(self.plan.producers)]
        quiet = 0
        while quiet < _QUIET_LOOKS:
            before = self.progress.lag
            time.sleep(_LOOK_EVERY_S)
            self._look(producers, started)
            tell(self.progress)
            quiet = quiet + 1 if self.progress.publish_s and self.progress.lag == Lag() else 0
            moved = time.monotonic() if self.progress.lag != before or not self.progress.publish_s else moved
            if time.monotonic() - moved > _STALLED_S:
                raise DemoFailed(f"nothing has moved for {_STALLED_S:.0f} s; lag {self.progress.lag}")

    def lag(self) -> Lag:
        """Of the workers on the events, and of the Celery workers on the commands."""
        rows = consumer_lag(self._settings, _COUNT_UP_TO, finished_beyond)
        events = Topology(self._settings.namespace).events
        behind = [(row.topic == events, row.lag if row.records is None else row.records) for row in rows]
        return Lag(sum(n for is_event, n in behind if is_event), sum(n for is_event, n in behind if not is_event))

    def check(self) -> Report:
        """Ask the databases."""
        arguments = [str(self._data), str(self.plan.sessions), str(self.plan.seed)]
        done = self._python("questionnaire.check", *arguments).communicate()[0]
        return msgspec.json.decode(done, type=Report)

    def _look(self, producers: list[subprocess.Popen[bytes]], started: float) -> None:
        self._stack.watch()
        now, progress = time.monotonic() - started, self.progress
        with suppress(TryAgain):  # a broker under load may answer the next time
            progress.lag = self.lag()
        progress.largest = Lag(
            max(progress.largest.events, progress.lag.events), max(progress.largest.commands, progress.lag.commands)
        )
        if not progress.publish_s and all(producer.poll() is not None for producer in producers):
            progress.published, progress.publish_s = sum(map(_published, producers)), now
        if progress.lag != Lag():
            progress.seconds = now
        if self.plan.kill and not progress.killed and progress.lag.commands:
            progress.killed = self._kill_an_agent()

    def _kill_an_agent(self) -> bool:
        victim = self._stack.services[0].process
        if victim is not None:
            child_process.kill(victim)
        return victim is not None

    def _producer(self, share: int) -> subprocess.Popen[bytes]:
        topic = Topology(self._settings.namespace).events
        numbers = (self.plan.sessions, self.plan.seed, share, self.plan.producers)
        return self._python("questionnaire.producer", self._settings.brokers, topic, *map(str, numbers))

    def _python(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        return child_process.start(command, output=subprocess.PIPE, cwd=examples_folder())


def _published(producer: subprocess.Popen[bytes]) -> int:
    output = producer.communicate()[0].decode(errors="replace").strip()
    if producer.returncode:
        raise DemoFailed(f"a producer ended with code {producer.returncode}: {output}")
    return int(output)
