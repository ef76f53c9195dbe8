"""Runs the questionnaire end to end: producers, workers, Celery workers, and a check of the databases."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import msgspec
from msgspec import Struct

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import measure_lag
from triggers.client.publisher import KafkaPublisher
from triggers.core.events import TriggerFired
from triggers.dev import child_process
from triggers.dev.example import APP, example_environment, example_rules, examples_folder, producer_environment
from triggers.dev.ports import free_ports, preferred_ports
from triggers.dev.readiness import Readiness
from triggers.dev.stack import Stack, celery_service, console_service, worker_service
from triggers.errors import TriggersError, TryAgain
from triggers.kafka.permissions import Process
from triggers.settings import Settings
from triggers.storages.published_rules import publish_rules
from triggers.topology import Topology

POLL_INTERVAL_S = 0.5
_STARTED_WITHIN_S = 90.0
_STALLED_S = 90.0
_QUIET_LOOKS = 3
_COUNT_UP_TO = 500
_CONSOLE_PORT = 6080
_FAILING = 3
_UNREADABLE_PAGES = (
    TriggerFired(trigger="firstPageReceived", kwargs=b'{"name":"Ann"}'),
    TriggerFired(trigger="pageReceived", kwargs=b'{"responses":{"page":1}}'),
    TriggerFired(trigger="pageReceived", kwargs=b'{"page":2}'),
    TriggerFired(trigger="questionnaireComplete"),
)
"""The events of a session with a page that names no browser, and one without responses."""


class DemoFailed(TriggersError):
    """The demo could not be completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """The size and the options of a demo."""

    sessions: int = 200
    seed: int = 1
    processes: int = 2
    """The number of worker processes."""
    celery_workers: int = 1
    producers: int = 2
    kill: bool = False
    """True if one of the workers is killed during the run."""


class UnfinishedRecords(Struct, frozen=True):
    """The numbers of unfinished records. A partition with too many to count contributes its lag in offsets."""

    events: int = 0
    commands: int = 0

    def __str__(self) -> str:
        return f"{self.events} events, {self.commands} commands"


class DemoReport(Struct):
    """The check of the databases, as the example's `check.py` prints it."""

    table: list[tuple[str, int, int]]
    """Rows of a name, the expected number and the number in the databases."""
    problems: list[str]
    repeated: int
    """The number of task executions that were repetitions."""
    sample: str
    """The UID of a session to show."""


class Progress(Struct):
    """The measurements of a run so far."""

    published: int | None = None
    """The number of the application's events, all acknowledged; None while the producers run."""
    seconds: float = 0.0
    """The time from the start of the producers to the first check that found no unfinished record."""
    events: int = 0
    """The number of records on the events topic, results of tasks included."""
    before: UnfinishedRecords | None = None
    lag: UnfinishedRecords | None = None
    """The lag at the last check; None if the brokers did not answer."""
    largest: UnfinishedRecords = UnfinishedRecords()
    killed: int = 0

    @property
    def events_per_s(self) -> float:
        """The throughput of the whole loop, tasks included."""
        return self.events / self.seconds if self.seconds else 0.0


class Demo:
    """One run in a new namespace. Not thread-safe."""

    def __init__(
        self,
        plan: DemoPlan,
        settings: Settings,
        stack: Stack,
        browser_service: int,
        settings_of: Callable[[Process], Settings] | None = None,
    ) -> None:
        """`settings_of` returns the settings of other kinds of processes, if each has credentials of its own."""
        self.plan = plan
        self._settings_of = settings_of or (lambda _: settings)
        self.progress = Progress()
        self._settings = settings
        self._stack = stack
        self._earlier = 0
        """Records on the events topic before the producers start: a copy of the rules on each partition."""
        self._data = settings.data_dir / "questionnaire"
        self._data.mkdir(parents=True, exist_ok=True)
        self._env = example_environment(self._data, browser_service)

    def start(self) -> None:
        """Publish the rules, start workers and Celery workers and wait until they are ready. Raises DemoFailed."""
        publish_rules("questionnaire", example_rules(), is_default=True, settings=self._settings)
        ports = free_ports(self.plan.processes)
        for slot, port in enumerate(ports):
            self._stack.start(worker_service(self._settings_of(Process.AGENT), slot, port))
        for number in range(self.plan.celery_workers):
            settings = self._settings_of(Process.CELERY)
            self._stack.start(celery_service(settings, APP, f"celery-{number}", self._env, examples_folder()))
        self._wait_until_ready(Readiness(self._settings, ports, self.plan.celery_workers))

    def run(self, on_progress: Callable[[Progress], None]) -> None:
        """Publish all events and block until every record is finished. Raises DemoFailed if the lag stops changing."""
        started = moved = time.monotonic()
        producers = [self._producer(share) for share in range(self.plan.producers)]
        quiet, known = 0, self.progress.before
        while quiet < _QUIET_LOOKS:
            time.sleep(POLL_INTERVAL_S)
            self._check_progress(producers)
            on_progress(self.progress)
            now, lag = time.monotonic(), self.progress.lag
            quiet = quiet + 1 if self.progress.published is not None and lag == UnfinishedRecords() else 0
            if quiet == 1:
                self.progress.seconds = now - started
            if lag not in {None, known}:
                moved, known = now, lag
            if now - moved > _STALLED_S:
                raise DemoFailed(f"the lag has not changed for {_STALLED_S:.0f} s: {known}")

    def check(self) -> DemoReport:
        """Check the databases. Raises DemoFailed if the check itself fails."""
        arguments = [str(self._data), str(self.plan.sessions), str(self.plan.seed)]
        output = self._python("questionnaire.check", *arguments).communicate()[0].strip()
        try:
            report = msgspec.json.decode(output.rpartition(b"\n")[2], type=DemoReport)
        except msgspec.DecodeError as error:
            raise DemoFailed(f"the check failed: {output.decode(errors='replace')[-2000:]}") from error
        if self.plan.kill and not self.progress.killed:
            report.problems.append("no worker was killed because the run was too short: raise --sessions")
        return report

    def open_to_visitors(self) -> tuple[str, int]:
        """Start a console, and fire sessions whose tasks fail. Returns the console's URL and the number of sessions."""
        (port,) = preferred_ports(_CONSOLE_PORT)
        self._stack.start(console_service(self._settings, port))
        publisher = KafkaPublisher(self._settings, source="demo")
        fires = [(f"unreadable-{number}", event) for number in range(_FAILING) for event in _UNREADABLE_PAGES]
        deque(publisher.publish_many(fires), maxlen=0)
        readiness = Readiness(self._settings, [port], self.plan.celery_workers)
        self._wait(lambda: readiness.is_complete, f"the console on port {port} does not answer")
        return f"http://127.0.0.1:{port}", _FAILING

    def keep_running(self) -> NoReturn:
        """Restart processes that end, until Ctrl-C."""
        while True:
            self._stack.watch()
            time.sleep(POLL_INTERVAL_S)

    def _wait_until_ready(self, readiness: Readiness) -> None:
        self._wait(
            lambda: readiness.is_complete and self._measure() is not None, "workers and Celery workers are not ready"
        )
        self.progress.before = self.progress.lag
        self._earlier, self.progress.events = self.progress.events, 0

    def _wait(self, is_ready: Callable[[], bool], what_fails: str) -> None:
        """Restart processes that end, until something is ready. Raises DemoFailed, which names the log, after a while.

        The log says why a process has ended.
        """
        deadline = time.monotonic() + _STARTED_WITHIN_S
        while not is_ready():
            self._stack.watch()
            if time.monotonic() > deadline:
                log = self._settings.data_dir / "demo.log"
                raise DemoFailed(f"{what_fails} after {_STARTED_WITHIN_S:.0f} s; {log} says why (--keep keeps it)")
            time.sleep(POLL_INTERVAL_S)

    def _check_progress(self, producers: list[subprocess.Popen[bytes]]) -> None:
        self._stack.watch()
        progress, lag = self.progress, self._measure()
        if progress.published is None and all(producer.poll() is not None for producer in producers):
            progress.published = sum(map(_published, producers))
        if lag is None:
            return
        largest = progress.largest
        progress.largest = UnfinishedRecords(max(largest.events, lag.events), max(largest.commands, lag.commands))
        if self.plan.kill and not progress.killed and lag != UnfinishedRecords():
            self._kill_a_worker()

    def _measure(self) -> UnfinishedRecords | None:
        """Measure the unfinished events and commands. Return None if the brokers do not answer."""
        try:
            rows = measure_lag(self._settings, _COUNT_UP_TO, finished_beyond)
        except TryAgain:  # a busy broker may answer at the next check
            self.progress.lag = None
            return None
        topic = Topology(self._settings.namespace).events
        behind = [(row.topic == topic, row.lag if row.records is None else row.records) for row in rows]
        events, commands = (sum(n for is_event, n in behind if is_event is wanted) for wanted in (True, False))
        self.progress.events = sum(row.end for row in rows if row.topic == topic) - self._earlier
        self.progress.lag = UnfinishedRecords(events, commands)
        return self.progress.lag

    def _kill_a_worker(self) -> None:
        victim = self._stack.services[0].process
        if victim is not None and victim.poll() is None:
            child_process.kill(victim)
            self.progress.killed += 1

    def _producer(self, share: int) -> subprocess.Popen[bytes]:
        topic = Topology(self._settings.namespace).events
        numbers = (self.plan.sessions, self.plan.seed, share, self.plan.producers)
        settings = self._settings_of(Process.CLIENT)
        env = producer_environment(settings)
        return self._python("questionnaire.producer", settings.brokers, topic, *map(str, numbers), env=env)

    def _python(self, module: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        return child_process.start(
            command, output=subprocess.PIPE, env={**os.environ, **(env or {})}, cwd=examples_folder()
        )


def _published(producer: subprocess.Popen[bytes]) -> int:
    output = producer.communicate()[0].decode(errors="replace").strip()
    if producer.returncode:
        raise DemoFailed(f"a producer ended with code {producer.returncode}: {output}")
    return int(output)
