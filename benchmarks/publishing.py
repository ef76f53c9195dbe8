"""Measures what publishing rules costs while sessions live, and the throughput before and after it.

One agent keeps all sessions, which have taken their rules from a publication. A round publishes twice, and the same
number of pages, one for each session, is measured four times. So what passes with the hour meets all four alike:

1. before anything is published;
2. after a version that existing sessions do not take (`keep`);
3. after a version that they adopt: each page is its session's next event, so it carries out the adoption, too;
4. once more, now that all have adopted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.contenders import AGENT
from benchmarks.delivery import Delivered, await_records, create_installation, publish, size_of
from benchmarks.processes import Cost, Running, watch_costs
from benchmarks.throughput import Rate, rate_of
from benchmarks.workload import RULES, Workload, opening, pages
from triggers.client.consumer_lag import measure_lag
from triggers.core.published_rules import ADOPT, KEEP
from triggers.settings import Settings
from triggers.storages.published_rules import publish_rules
from triggers.topology import Topology

BEFORE = "before a publication"
AFTER_KEEP = "after one that sessions do not take"
ADOPTING = "after one that they adopt: their next event"
AFTER_ADOPTING = "the event after that"
PHASES = (BEFORE, AFTER_KEEP, ADOPTING, AFTER_ADOPTING)

_WINDOW_S = 3.0
"""Seconds over which the agent's CPU time is counted: once while it is idle, and once around a publication."""
_POLL_INTERVAL_S = 0.25
_ENOUGH_S = 240.0
_COUNTED = 50
"""Records of a partition that are counted to see whether the agent is done, rather than its transaction markers."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication has cost while a number of sessions lived, until one of their events came."""

    sessions: int
    existing: str
    call_s: float
    """Seconds that `publish_rules` took."""
    agent_cpu_ms: float
    """CPU time of the agent in the three seconds around it, less that of three seconds without a publication."""
    changelog_offsets: int
    """Rows that the agent has written, and one transaction marker for each partition."""


class Publishing(msgspec.Struct, frozen=True, kw_only=True):
    """All publications of a run, and the rates of the phases, round by round."""

    publications: list[Publication]
    rates: dict[str, list[Rate]]


def measure_publishing(brokers: str, workload: Workload, rounds: int) -> Publishing:
    """Measures in a new installation. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        agent = stack.enter_context(AGENT.start(settings, folder))
        (cost,) = stack.enter_context(watch_costs(agent.process))
        return _Run(settings, agent, cost, workload).measure(rounds)


@dataclass(slots=True)
class _Run:
    """The state of a measurement."""

    settings: Settings
    agent: Running
    cost: Cost
    workload: Workload
    version: int = 0
    sessions: int = 0
    publications: list[Publication] = field(default_factory=list)

    def measure(self, rounds: int) -> Publishing:
        """Opens the sessions, runs all rounds, and reads the times of all commands at the end."""
        publish_rules("questionnaire", RULES, is_default=True, settings=self.settings)
        self._await_done()
        self._publish(ADOPT)
        self._open_sessions()
        for _ in range(rounds):
            self._fire_pages()
            self._publish(KEEP)
            self._fire_pages()
            self._publish(ADOPT)
            self._fire_pages()
            self._fire_pages()
        return Publishing(publications=self.publications, rates=self._rates(rounds))

    def _open_sessions(self) -> None:
        """Fires what opens each session but for its rules, and a first page. Their first event takes the rules."""
        keys = self.workload.keys()
        for value in (*opening()[1:], pages()[0]):
            publish(self.settings, ((key, value) for key in keys))
        self.sessions = len(keys)
        self._await_done()

    def _fire_pages(self) -> None:
        """Fires a page of each session while the agent stands still, and waits until it has caught up."""
        with _suspended(self.agent):
            publish(self.settings, self.workload.only_pages())
        self._await_done()

    def _publish(self, existing: str) -> None:
        """Publishes other rules under the same name, and counts what that costs."""
        time.sleep(_WINDOW_S)  # the window that is compared
        idle_from = time.time() - _WINDOW_S
        started, offsets = time.time(), self._changelog()
        self.version += 1
        rules = RULES | {"t_importResponses": RULES["t_importResponses"] | {"withParams": {"version": self.version}}}
        publish_rules("questionnaire", rules, is_default=True, existing=existing, settings=self.settings)
        call_s = time.time() - started
        self._await_done()
        time.sleep(max(0.0, started + _WINDOW_S + 0.2 - time.time()))  # a sample after the end of the window
        cpu_s = self.cost.cpu_between(started, started + _WINDOW_S) - self.cost.cpu_between(idle_from, started)
        self.publications.append(
            Publication(
                sessions=self.sessions,
                existing=existing,
                call_s=call_s,
                agent_cpu_ms=cpu_s * 1000,
                changelog_offsets=self._changelog() - offsets,
            )
        )

    def _changelog(self) -> int:
        return size_of(self.settings, Topology(self.settings.namespace).changelog)

    def _await_done(self) -> None:
        """Waits until the agent has committed all events. Raises RuntimeError if it ends or takes too long."""
        events, deadline = Topology(self.settings.namespace).events, time.monotonic() + _ENOUGH_S
        while time.monotonic() < deadline:
            self.agent.check()
            lags = measure_lag(self.settings, count_up_to=_COUNTED)
            if all(row.records == 0 for row in lags if row.topic == events):
                return
            time.sleep(_POLL_INTERVAL_S)
        raise RuntimeError(f"{self.agent.name} has not read all events within {_ENOUGH_S:g} s")

    def _rates(self, rounds: int) -> dict[str, list[Rate]]:
        """Returns the rates of each phase. The broker's clock says when each command was there."""
        opened, phases = 2 * self.sessions, rounds * len(PHASES)
        expected = opened + phases * self.sessions
        commands = Topology(self.settings.namespace).commands
        times = await_records(self.settings, commands, self.agent, expected).times
        rates: dict[str, list[Rate]] = {}
        for number in range(phases):
            first = opened + number * self.sessions
            delivered = Delivered(times[first : first + self.sessions], others=0)
            rates.setdefault(PHASES[number % len(PHASES)], []).append(rate_of(delivered, [self.cost]))
        return rates


@contextmanager
def _suspended(agent: Running) -> Iterator[None]:
    """Stops the process until the block ends. The block must be shorter than the session timeout."""
    agent.process.suspend()
    try:
        yield
    finally:
        agent.process.resume()
