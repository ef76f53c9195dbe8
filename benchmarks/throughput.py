"""Events per second and CPU per event of one process, by records that were delivered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.delivery import Delivered, await_records, installation, publish
from benchmarks.processes import Cost, Running, broker_process, running, watched
from benchmarks.seeding import seed
from benchmarks.workload import Workload
from triggers.settings import Settings
from triggers.topology import Topology

_WARM_UP = 0.1
"""Share of the records before the clock starts."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of one program showed."""

    events_per_s: float
    cpu_us_per_event: float
    """Of the process, all of its threads."""
    broker_cpu_us_per_event: float | None
    """None: the broker is not ours to look at."""
    resident_mb: float
    events: int
    records_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Something that reads events and writes commands."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    """After the brokers, the namespace and the folder, which every one gets."""
    python: Path | None = None
    """Interpreter of an environment of its own; None: ours."""
    rules: bool = False
    """It knows the rules, so sessions must be open before their pages run tasks."""
    env: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0
    """Of the sessions' pages: a slow one need not take minutes."""

    def prepare(self, workload: Workload, settings: Settings) -> None:
        """Put on the broker what it starts with."""
        if self.rules and not workload.whole:
            seed(settings, workload.keys(), pages=0)
        publish(settings, workload.all_events() if workload.whole else workload.only_pages(self.share))

    def start(self, settings: Settings, folder: Path) -> AbstractContextManager[Running]:
        """Run it on an installation until the block ends; its files go to the folder."""
        arguments = ["-m", self.module, settings.brokers, settings.namespace, str(folder), *self.arguments]
        return running(self.name, arguments, folder, python=self.python, env=self.env)

    def expects(self, workload: Workload) -> int:
        """How many records out."""
        return int(workload.commands * self.share)


def measure(program: Program, workload: Workload, brokers: str) -> Rate:
    """One run in a fresh installation: everything is on the broker before the program starts. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        program.prepare(workload, settings)
        process = stack.enter_context(program.start(settings, folder))
        processes = [process.process, *filter(None, [broker_process()])]
        costs = stack.enter_context(watched(*processes))
        commands = Topology(settings.namespace).commands
        delivered = await_records(settings, commands, process, program.expects(workload))
    return rate_of(delivered, costs, workload.events_per_command)


def rate_of(delivered: Delivered, costs: list[Cost], events_per_record: float = 1.0) -> Rate:
    """What the times of the records and the samples of the processes (the program, then the broker) come to."""
    times = delivered.times
    first = int(len(times) * _WARM_UP)
    start, end, events = times[first], times[-1], (len(times) - first) * events_per_record
    own, *broker = [cost.cpu_between(start, end) / events * 1e6 for cost in costs]
    return Rate(
        events_per_s=events / max(end - start, 0.001),
        cpu_us_per_event=own,
        broker_cpu_us_per_event=broker[0] if broker else None,
        resident_mb=max(costs[0].resident) / 2**20,
        events=round(events),
        records_out=len(times) + delivered.others,
    )
