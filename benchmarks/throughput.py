"""Measures events per second and CPU per event of a process, by the records that it has delivered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.delivery import Delivered, await_records, create_installation, publish
from benchmarks.processes import Cost, Running, find_broker, run_python, watch_costs
from benchmarks.seeding import seed
from benchmarks.workload import Workload
from triggers.settings import Settings
from triggers.topology import Topology

_WARM_UP = 0.1
"""Share of the records that are warm-up."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a program's run."""

    events_per_s: float
    cpu_us_per_event: float
    """CPU time of all threads of the process."""
    broker_cpu_us_per_event: float | None
    """CPU time of the broker, or None if this process has not started it."""
    resident_mb: float
    events: int
    records_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that reads events and writes commands."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    """Arguments after the brokers, the namespace and the folder, which every program gets."""
    python: Path | None = None
    """Interpreter of a separate environment, or None for the current one."""
    rules: bool = False
    """True if it applies the rules, so that sessions must be open before their pages run tasks."""
    env: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0
    """Share of the sessions' pages to publish, so that a slow program does not take minutes."""

    def prepare(self, workload: Workload, settings: Settings) -> None:
        """Publishes the events and rows with which the program starts."""
        if self.rules and not workload.whole:
            seed(settings, workload.keys(), pages=0)
        publish(settings, workload.all_events() if workload.whole else workload.only_pages(self.share))

    def start(self, settings: Settings, folder: Path) -> AbstractContextManager[Running]:
        """Runs the program on an installation until the block ends. Its files go to the folder."""
        arguments = ["-m", self.module, settings.brokers, settings.namespace, str(folder), *self.arguments]
        return run_python(self.name, arguments, folder, python=self.python, env=self.env)

    def expects(self, workload: Workload) -> int:
        """Returns the number of output records."""
        return int(workload.commands * self.share)


def measure(program: Program, workload: Workload, brokers: str) -> Rate:
    """Measures a run in a new installation. All input is on the broker before it starts. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        program.prepare(workload, settings)
        process = stack.enter_context(program.start(settings, folder))
        processes = [process.process, *filter(None, [find_broker()])]
        costs = stack.enter_context(watch_costs(*processes))
        commands = Topology(settings.namespace).commands
        delivered = await_records(settings, commands, process, program.expects(workload))
    return rate_of(delivered, costs, workload.events_per_command)


def rate_of(delivered: Delivered, costs: list[Cost], events_per_record: float = 1.0, warm_up: float = _WARM_UP) -> Rate:
    """Calculates the rate from the times of the records and the costs of the program and the broker.

    `warm_up` is the share of the first records that do not count.
    """
    times = delivered.times
    first = int(len(times) * warm_up)
    start, end, events = times[first], times[-1], (len(times) - first) * events_per_record
    program_cost, *broker = [cost.cpu_between(start, end) / events * 1e6 for cost in costs]
    return Rate(
        events_per_s=events / max(end - start, 0.001),
        cpu_us_per_event=program_cost,
        broker_cpu_us_per_event=broker[0] if broker else None,
        resident_mb=max(costs[0].resident) / 2**20,
        events=round(events),
        records_out=len(times) + delivered.others,
    )
