"""Compares every lag that the product shows with the number of unfinished records.

Lag is the health signal. If it is too small, it reports work as done that is not. So at its end a campaign goes through
phases in which it knows exactly what is left to do.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.chaos.producers import Service
from tests.chaos.questionnaire import ENDLESS, Fields
from tests.chaos.watch import Watch
from tests.chaos.world import World

from triggers.dev.stack import environment
from triggers.settings import Settings
from triggers.topology import Topology

_SESSIONS = 12
_PAGES = 50
_WITHIN_S = 60.0
_POLL_INTERVAL_S = 0.05
_STEADY_S = 1.0
_GAUGE = re.compile(rb"^triggers_lag_events\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Count:
    """A figure that the product has shown, and the range in which it must be."""

    when: str
    what: str
    shown: int
    least: int
    """Number of unfinished records."""
    most: int
    """Upper limit, with the records whose result a killed Celery worker had not settled yet."""

    @property
    def is_right(self) -> bool:
        """True if the figure is in its range."""
        return self.least <= self.shown <= self.most

    def __str__(self) -> str:
        wanted = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{self.when}: {self.what} shows {self.shown}, unfinished: {wanted}"


class Orderly(Service):
    """An application that publishes a known number of events, which cause a known number of commands."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__("census", settings, seed, rate=0)
        self.expected_events = _SESSIONS * (_PAGES + 2)
        self.expected_commands = _SESSIONS * _PAGES

    def run(self) -> None:
        """Publishes all events and waits until they are acknowledged."""
        for number in range(_SESSIONS):
            for event in _events():
                self.publish(f"census-{number}", event)
        self.flush()


def take_census(world: World, watch: Watch) -> list[Count]:
    """Compares when everything is done, then with unread events, then with commands that have not run.

    It must begin when everything runs and everything is done. At its end work is left, and not everything runs. Raises
    TimeoutError.
    """
    census = _Census(world, watch)
    return [*census.when_done(), *census.with_events_left(), *census.with_commands_left()]


class _Census:
    def __init__(self, world: World, watch: Watch) -> None:
        self._world = world
        self._watch = watch
        self._application = Orderly(world.settings, world.plan.seed)
        world.producers.append(self._application)

    def when_done(self) -> Iterator[Count]:
        yield from self._shown_by_topics_lag("everything is done", events=0, commands=0)
        yield Count("everything is done", "triggers_lag_events", self._shown_by_metrics(), 0, 0)

    def with_events_left(self) -> Iterator[Count]:
        for machine in (*self._world.agents, *self._world.executors):
            machine.stop()
        self._application.run()
        yield from self._shown_by_topics_lag("no worker runs", self._application.expected_events, commands=0)

    def with_commands_left(self) -> Iterator[Count]:
        for agent in self._world.agents:
            agent.up()
        commands = self._application.expected_commands
        self._wait_until(lambda: self._watch.outstanding() == commands, "all commands of the census are there")
        yield from self._shown_by_topics_lag("no Celery worker runs", 0, commands)
        executor, before = self._world.executors[0], len(self._watch.results)
        executor.up()
        self._wait_until(lambda: len(self._watch.results) > before, "some commands of the census are done")
        executor.crash()
        unfinished = self._steady(self._watch.outstanding)
        yield from self._shown_by_topics_lag("a Celery worker was killed", 0, unfinished, commands)

    def _shown_by_topics_lag(
        self, when: str, events: int, commands: int, most_commands: int | None = None
    ) -> Iterator[Count]:
        """Compares the lags that `triggers topics lag` shows."""
        command = [sys.executable, "-m", "triggers.cli", "topics", "lag", "--json"]
        env = {**os.environ, **environment(self._world.settings)}
        completed = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        rows, names = json.loads(completed.stdout), Topology(self._world.settings.namespace)
        shown = {
            topic: sum(
                row["lag"] if row["records"] is None else row["records"] for row in rows if row["topic"] == topic
            )
            for topic in (names.events, names.commands)
        }
        limit = commands if most_commands is None else most_commands
        yield Count(when, "topics lag, events", shown[names.events], events, events)
        yield Count(when, "topics lag, commands", shown[names.commands], commands, limit)

    def _shown_by_metrics(self) -> int:
        return sum(round(float(figure)) for agent in self._world.agents for figure in _GAUGE.findall(agent.metrics()))

    def _wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {_WITHIN_S:.0f} s: {what}")
            self._world.tend()
            time.sleep(_POLL_INTERVAL_S)

    def _steady(self, count: Callable[[], int]) -> int:
        """Returns the count once it has been stable for a second, so that records under way have arrived."""
        value, since = count(), time.monotonic()
        while time.monotonic() - since < _STEADY_S:
            time.sleep(_POLL_INTERVAL_S)
            if (current := count()) != value:
                value, since = current, time.monotonic()
        return value


def _events() -> Iterable[Fields]:
    yield {"configuration": ENDLESS}
    yield {"trigger": "opened"}
    for page in range(_PAGES):
        yield {"trigger": "page", "kwargs": {"page": page}}
