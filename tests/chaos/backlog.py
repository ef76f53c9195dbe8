"""`python -m tests.chaos.backlog` measures the memory and the time that an hour's work takes when it comes at once.

No Celery worker runs while an application publishes the events of an hour as fast as it can. Then the broker accepts
nothing for a minute. Then the Celery workers start and catch up, and the campaigns' oracle judges the result.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from tests.chaos.campaign import ends_of_workers
from tests.chaos.evidence import gather
from tests.chaos.hasty import Hasty
from tests.chaos.oracle import judge
from tests.chaos.plan import Plan
from tests.chaos.verdict import OracleVerdict
from tests.chaos.world import NotStarted, World, start_world

from triggers.celery.ledger import finished_beyond
from triggers.client.consumer_lag import measure_lag
from triggers.errors import TryAgain
from triggers.topology import Topology

_POLL_INTERVAL_S = 0.2
_ASK_EVERY_S = 2.0
_WITHIN_S = 1800.0


@dataclass
class Measured:
    """The measurements of a run. Memory is the resident memory of the largest process of a kind, in MB."""

    commands: int = 0
    events: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    """Phase -> duration in seconds."""
    agent_mb: dict[str, int] = field(default_factory=dict)
    celery_mb: dict[str, int] = field(default_factory=dict)
    processed_while_publishing: int = 0
    worker_exits: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0

    @property
    def times_faster(self) -> float:
        """The application's rate of publishing, as a multiple of the agents' rate in that phase."""
        return self.events / max(self.processed_while_publishing, 1)


@click.command(context_settings={"show_default": True})
@click.option("--rate", "commands_per_s", type=float, default=30, help="Commands per second during that hour.")
@click.option("--payload", "payload_bytes", type=int, default=200, help="Size of each event's kwargs in bytes.")
@click.option("--freeze", "freeze_s", type=float, default=60, help="Seconds for which the broker accepts nothing.")
@click.option("--agents", type=click.IntRange(1), default=1)
@click.option("--celery-workers", type=click.IntRange(1), default=2)
@click.option("--folder", type=click.Path(path_type=Path, resolve_path=True), default=Path("backlog-report"))
def main(folder: Path, commands_per_s: float, payload_bytes: int, freeze_s: float, **machines: int) -> None:
    """Publish an hour's work at once and measure how it is done. Exit with 1 if anything is lost or wrong."""
    plan = Plan(
        seed=0, duration_s=0, folder=folder, agents=machines["agents"], celery_workers=machines["celery_workers"]
    )
    with start_world(plan) as world:
        for executor in world.executors:
            executor.crash()
        measured = _Backlog(world, Hasty(world.settings, commands_per_s, payload_bytes)).run(freeze_s)
    (folder / "report.json").write_text(json.dumps(vars(measured), indent=2) + "\n")
    click.echo(_table(measured))
    sys.exit(bool(measured.lost or measured.wrong))


class _Backlog:
    """A run of all phases."""

    def __init__(self, world: World, application: Hasty) -> None:
        self._world = world
        self._application = application
        self._measured = Measured(commands=application.commands, events=len(application.prepared))
        world.producers[:] = [application]

    def run(self, freeze_s: float) -> Measured:
        """Runs the phases and returns what they have taken."""
        self._world.wait_until_ready()
        with self._phase("ready"):
            self._until(lambda: False, 3.0)
        with self._phase("publishing"):
            self._application.start()
            self._until(lambda: not self._application.is_alive())
        self._measured.processed_while_publishing = self._measured.events - self._waiting().events
        with self._phase("broker accepts nothing"):
            self._world.brokers.freeze(0)
            self._until(lambda: False, freeze_s)
            self._world.brokers.thaw(0)
        with self._phase("agents catch up"):
            self._until_done(lambda waiting: waiting.events == 0)
        with self._phase("Celery workers catch up"):
            for executor in self._world.executors:
                executor.up()
            self._until_done(lambda waiting: waiting.events + waiting.commands == 0)
        self._judge()
        return self._measured

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        world, measured, began = self._world, self._measured, time.monotonic()
        for machine in world.machines():
            machine.peak_mb = 0
        yield
        measured.seconds[name] = round(time.monotonic() - began, 1)
        measured.agent_mb[name] = max(agent.peak_mb for agent in world.agents)
        measured.celery_mb[name] = max(executor.peak_mb for executor in world.executors)
        click.echo(f"{name}: {measured.seconds[name]} s", err=True)

    def _until(self, is_over: Callable[[], bool], max_s: float = _WITHIN_S) -> None:
        deadline = time.monotonic() + max_s
        while not is_over() and time.monotonic() < deadline:
            self._world.tend()
            time.sleep(_POLL_INTERVAL_S)

    def _until_done(self, is_done: Callable[[_Waiting], bool]) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while not is_done(self._waiting()):
            if time.monotonic() > deadline:
                raise NotStarted(f"not done within {_WITHIN_S:.0f} s; see {self._world.plan.folder}")
            self._until(lambda: False, _ASK_EVERY_S)

    def _waiting(self) -> _Waiting:
        names = Topology(self._world.settings.namespace)
        try:
            rows = measure_lag(self._world.settings, 1000, finished_beyond)
        except TryAgain:
            return _Waiting(1, 1)
        lag = {
            topic: sum(row.lag if row.records is None else row.records for row in rows if row.topic == topic)
            for topic in (names.events, names.commands)
        }
        return _Waiting(lag[names.events], lag[names.commands])

    def _judge(self) -> None:
        verdict: OracleVerdict = judge(gather(self._world, is_drained=True))
        measured = self._measured
        measured.lost, measured.wrong = dict(verdict.lost), dict(verdict.wrong)
        measured.duplicates = verdict.duplicates
        measured.worker_exits = dict(ends_of_workers(self._world))


@dataclass(frozen=True, slots=True)
class _Waiting:
    events: int
    commands: int


def _table(measured: Measured) -> str:
    """Returns the Markdown table of docs/faults.md."""
    ends = ", ".join(f"{code} ({times})" for code, times in measured.worker_exits.items())
    lines = [
        f"{measured.events:,} events, {measured.commands:,} commands.",
        f"Published {measured.times_faster:.1f} times faster than they were processed meanwhile.",
        f"Lost {sum(measured.lost.values())}, wrong {sum(measured.wrong.values())}.",
        f"Duplicates at the task: {measured.duplicates}.",
        f"Workers that ended, by exit code: {ends or 'none'}.",
        "",
        "| phase | seconds | agent, MB | Celery worker, MB |",
        "|---|---|---|---|",
    ]
    for phase, seconds in measured.seconds.items():
        lines.append(f"| {phase} | {seconds:.0f} | {measured.agent_mb[phase]} | {measured.celery_mb[phase] or '-'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
