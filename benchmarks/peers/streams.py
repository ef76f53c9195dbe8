"""Measures stream processors at full speed and at 500 events/s."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.delivery import await_records, create_installation, publish
from benchmarks.latency import LAST_COMMANDS_S, RATE, SESSIONS, CommandWatcher, Latency, fire_steadily, summarize
from benchmarks.peers.stream_processors import AT_FULL_SPEED_MS, AT_ONCE_MS, StreamProcessor
from benchmarks.processes import find_broker, watch_costs
from benchmarks.throughput import Rate, rate_of
from benchmarks.workload import Published, kwargs
from triggers.settings import Settings
from triggers.topology import Topology

_LATENCY_WARM_UP_S = 5.0
_DIFFERENT_PAGES = 1000
_TRIGGERS = (
    b'{"trigger":"isEmbeddedApplication"}',
    b'{"trigger":"firstPageReceived","kwargs":{"name":"Marcus"}}',
    b'{"trigger":"questionnaireComplete"}',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSessions:
    """Sessions that are opened first and then get their pages in turns, each of which runs one task."""

    name: str
    keys: list[bytes]
    pages: int
    warm_up_pages: int
    """Number of each session's first pages that do not count, because Java still compiles."""

    def events(self, program: StreamProcessor) -> Iterator[Published]:
        """Yields the events of all sessions."""
        for value in (*program.rules, *_TRIGGERS, program.subject_finished):
            yield from ((key, value) for key in self.keys)
        chance = random.Random(2017)  # noqa: S311  # repeatable
        values = [json_page(kwargs(chance)) for _ in range(_DIFFERENT_PAGES)]
        for page in range(self.pages):
            for number, key in enumerate(self.keys):
                yield key, values[(number + 7 * page) % _DIFFERENT_PAGES]

    @property
    def commands(self) -> int:
        """Number of commands: the subject's and one for each page."""
        return len(self.keys) * (1 + self.pages)

    @property
    def warm_up(self) -> float:
        """Share of the commands that do not count."""
        return (1 + self.warm_up_pages) / (1 + self.pages)


def _numbered(sessions: int) -> list[bytes]:
    return [b"questionnaire-%06d" % number for number in range(sessions)]


FEW_OPEN = OpenSessions(
    name="stream processors alone, 1,000 sessions in flight", keys=_numbered(1000), pages=800, warm_up_pages=600
)
MANY_OPEN = OpenSessions(
    name="stream processors alone, 100,000 sessions in flight", keys=_numbered(100_000), pages=3, warm_up_pages=2
)
_AT_STEADY_LOAD = OpenSessions(name="latency", keys=SESSIONS.keys(), pages=150, warm_up_pages=150)
"""Pages before a measurement of latency, so that Java is compiled."""


def json_page(page: bytes) -> bytes:
    """Returns a page as plain JSON."""
    return b'{"trigger":"pageReceived","kwargs":' + page + b"}"


def measure_stream(program: StreamProcessor, workload: OpenSessions, brokers: str) -> Rate:
    """Measures a run in which all events are on the broker before the program starts. Raises RuntimeError."""
    with installation(brokers) as (settings, folder), ExitStack() as stack:
        publish(settings, workload.events(program))
        broker = find_broker()  # before another Java is started
        running = stack.enter_context(program.start(settings, folder, AT_FULL_SPEED_MS))
        costs = stack.enter_context(watch_costs(running.process, *filter(None, [broker])))
        delivered = await_records(settings, Topology(settings.namespace).commands, running, workload.commands)
    return rate_of(delivered, costs, warm_up=workload.warm_up)


def measure_stream_latency(program: StreamProcessor, brokers: str, seconds: float) -> Latency:
    """Measures the time from fire to command at 500 events/s. Raises RuntimeError."""
    with installation(brokers) as (settings, folder):
        publish(settings, _AT_STEADY_LOAD.events(program))
        with program.start(settings, folder, AT_ONCE_MS) as running:
            await_records(settings, Topology(settings.namespace).commands, running, _AT_STEADY_LOAD.commands)
            watcher = CommandWatcher(settings, _LATENCY_WARM_UP_S)
            with watcher.watching():
                fire_steadily(settings, _LATENCY_WARM_UP_S + seconds, RATE, json_page)
                time.sleep(LAST_COMMANDS_S)
            running.check()
    return summarize(watcher.seconds)


@contextmanager
def installation(brokers: str) -> Iterator[tuple[Settings, Path]]:
    """Creates topics and a folder for a run, and deletes them at the end."""
    with create_installation(brokers) as settings, TemporaryDirectory(prefix="triggers-bench-") as folder:
        yield settings, Path(folder)
