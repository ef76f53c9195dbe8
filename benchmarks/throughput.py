"""Events per second and CPU per event of one process, by records that were delivered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.delivery import Delivered, await_commands, installation, publish
from benchmarks.processes import Cost, broker_process, running, watched
from benchmarks.workload import Published, Workload

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
    python: Path | None = None
    """Interpreter of an environment of its own; None: ours."""
    rules: bool = False
    """It knows the rules, so sessions must be opened before their pages run tasks."""
    share: float = 1.0
    """Of the sessions' pages: a slow one need not take minutes."""

    def events(self, workload: Workload) -> Iterator[Published]:
        """What it gets."""
        return workload.all_events() if self.rules else workload.only_pages(self.share)

    def expects(self, workload: Workload) -> int:
        """How many counted records out."""
        return workload.commands if self.rules else int(workload.page_events * self.share)

    def counted(self, value: bytes, *, whole: bool) -> bool:
        """Whether a command belongs to a page, if only pages are measured."""
        return whole or not self.rules or b"t_importResponses" in value


def measure(program: Program, workload: Workload, brokers: str) -> Rate:
    """One run in a fresh installation: everything is published before the program starts. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        publish(settings, program.events(workload))
        arguments = ["-m", program.module, settings.brokers, settings.namespace, str(folder)]
        process = stack.enter_context(running(program.name, arguments, folder, python=program.python))
        processes = [process.process, *filter(None, [broker_process()])]
        costs = stack.enter_context(watched(*processes))
        counted = partial(program.counted, whole=workload.whole)
        delivered = await_commands(settings, process, program.expects(workload), counted)
    return rate_of(delivered, costs, workload.events_per_command if program.rules else 1.0)


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
