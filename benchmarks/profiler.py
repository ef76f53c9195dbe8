"""Profiles an agent at full speed, by the steps of an event: `make profile` appends to benchmarks/profile.md.

The kernel counts the CPU time of each thread, and py-spy samples what the threads with Python do.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.contenders import AGENT, FEW, MANY
from benchmarks.delivery import await_records, create_installation, size_of
from benchmarks.machine import describe_moment
from benchmarks.processes import Running
from benchmarks.report import table
from benchmarks.workload import Workload
from triggers.dev.broker import running_broker
from triggers.topology import Topology

RESULT = Path(__file__).parent / "profile.md"
_SECONDS = 5
_LONGER = 3
"""Multiple of the throughput's workloads, so that the agent is still busy when the profiler is done."""
_SAMPLES_PER_S = 200

_STEPS = (
    ("RocksDB: read", ("PartitionRows.get", "PartitionRows.scan")),
    ("RocksDB: write", ("PartitionRows.write",)),
    ("decode the event", ("event_codec.py",)),
    ("encode commands", ("command_codec.py",)),
    ("encode rows", ("Session.changes",)),
    ("load the session", ("Session.__init__",)),
    ("apply", ("triggers/core/",)),
    ("produce", ("transaction.py:_", "Transactions._send", "Transactions._produce")),
    ("commit", ("transaction.py", "bounded_call.py")),
    ("fetch", ("member.py",)),
    ("the turn around them", ("partition_turn.py", "agent.py", "session_cache.py", "dead_letters.py", "routing.py")),
    ("pump, Faust, event loop", ("",)),
)
"""Step -> marks. A stack belongs to the first step with a mark in any of its frames."""


def step_of(stack: str) -> str:
    """Returns the step of a stack in py-spy's form: frames joined by semicolons, outermost first."""
    return next(step for step, marks in _STEPS if any(mark in stack for mark in marks))


def share_cpu(
    samples: Mapping[str, Mapping[str, int]], cpu_us: Mapping[str, float], names: Mapping[str, str]
) -> dict[str, float]:
    """Returns microseconds per event by step. It divides each thread's CPU time by the thread's samples.

    `samples` maps thread -> stack -> count, and `cpu_us` maps thread -> CPU microseconds per event. A thread without
    samples is a step with its name.
    """
    by_step: defaultdict[str, float] = defaultdict(float)
    for thread, used in cpu_us.items():
        stacks = samples.get(thread)
        if not stacks:
            by_step[names[thread]] += used
            continue
        total = sum(stacks.values())
        for stack, count in stacks.items():
            by_step[step_of(stack)] += used * count / total
    return dict(sorted(by_step.items(), key=lambda item: -item[1]))


def profile(workload: Workload, brokers: str) -> dict[str, float]:
    """Profiles an agent with the workload. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        AGENT.prepare(workload, settings)
        # not compiled, because py-spy sees only functions in Python
        agent = stack.enter_context(replace(AGENT, env={}).start(settings, folder))
        commands = Topology(settings.namespace).commands
        await_records(settings, commands, agent, workload.commands // 10)
        size, before = size_of(settings, commands), _cpu_of_threads(agent)
        time.sleep(_SECONDS)  # measured without the profiler, which uses CPU itself
        after, events = _cpu_of_threads(agent), size_of(settings, commands) - size
        names = {thread: _name_of_thread(agent, thread) for thread in after}
        recorded = _record_stacks(agent, folder / "stacks")
    used = {thread: (after[thread] - before.get(thread, 0.0)) / max(events, 1) * 1e6 for thread in after}
    return share_cpu(recorded, used, names)


def _cpu_of_threads(agent: Running) -> dict[str, float]:
    return {str(thread.id): thread.user_time + thread.system_time for thread in agent.process.threads()}


def _name_of_thread(agent: Running, thread: str) -> str:
    """Returns the name of a thread that does not run Python."""
    comm = Path(f"/proc/{agent.process.pid}/task/{thread}/comm").read_text()
    return "threads of librdkafka" if comm.startswith("rdk:") else "threads of RocksDB and others"


def _record_stacks(agent: Running, file: Path) -> dict[str, Counter[str]]:
    """Records the stacks that held the GIL, by thread."""
    options = ["--gil", "--threads", "--format", "raw", "--duration", str(_SECONDS), "--rate", str(_SAMPLES_PER_S)]
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(agent.process.pid), *options]
    subprocess.run([*command, "--output", str(file)], check=True, capture_output=True)
    return stacks_by_thread(file.read_text().splitlines())


def stacks_by_thread(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """Parses py-spy's lines, such as `thread (17): name;frame;frame count`."""
    stacks: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        stack, _, count = line.rpartition(" ")
        _, _, rest = stack.partition("thread (")
        thread, _, _ = rest.partition(")")
        stacks[thread][stack] += int(count)
    return stacks


@click.command()
@click.option("--note", default="", help="Text for the heading, such as what was changed.")
def main(note: str) -> None:
    """Append a table for 1,000 and a table for 100,000 sessions in flight."""
    with running_broker(java_options=()) as brokers:
        budgets = [profile(replace(workload, pages=workload.pages * _LONGER), brokers) for workload in (FEW, MANY)]
    heading = f"## {describe_moment()}" + (f": {note}" if note else "")
    steps = sorted(set().union(*budgets), key=lambda step: -budgets[-1].get(step, 0.0))
    rows = [(step, *(f"{budget.get(step, 0.0):.1f}" for budget in budgets)) for step in steps]
    rows.append(("**all**", *(f"**{sum(budget.values()):.1f}**" for budget in budgets)))
    text = f"\n{heading}\n\n{table(('µs of CPU an event', FEW.name, MANY.name), rows)}\n"
    with RESULT.open("a") as file:
        file.write(text)
    click.echo(text)


if __name__ == "__main__":
    main()
