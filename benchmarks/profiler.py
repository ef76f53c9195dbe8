"""Where an event's CPU time goes in an agent at full speed, hop by hop: `make profile` writes benchmarks/profile.md.

The kernel says how much CPU each thread used; py-spy says what the threads that run Python did with it.
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
from benchmarks.delivery import await_records, installation, size_of
from benchmarks.machine import moment
from benchmarks.processes import Running
from benchmarks.report import table
from benchmarks.workload import Workload
from triggers.dev.broker import running_broker
from triggers.topology import Topology

RESULT = Path(__file__).parent / "profile.md"
_SECONDS = 5
_LONGER = 3
"""Than the throughput's workloads, so that the agent is still busy when the profiler is done."""
_SAMPLES_PER_S = 200

_HOPS = (
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
    ("the turn around them", ("partition_turn.py", "agent.py", "sessions.py", "dead_letters.py", "routing.py")),
    ("pump, Faust, event loop", ("",)),
)
"""The first hop one of whose marks is in any frame of the stack."""


def hop_of(stack: str) -> str:
    """The hop of a stack as py-spy writes it: frames joined by semicolons, outermost first."""
    return next(hop for hop, marks in _HOPS if any(mark in stack for mark in marks))


def budget(
    samples: Mapping[str, Mapping[str, int]], cpu_us: Mapping[str, float], names: Mapping[str, str]
) -> dict[str, float]:
    """Microseconds an event by hop: each thread's CPU shared out by what its samples show.

    `samples`: thread -> stack -> how often; `cpu_us`: thread -> CPU microseconds an event. Threads without samples are
    hops by their names.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for thread, used in cpu_us.items():
        stacks = samples.get(thread)
        if not stacks:
            found[names[thread]] += used
            continue
        total = sum(stacks.values())
        for stack, count in stacks.items():
            found[hop_of(stack)] += used * count / total
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def profile(workload: Workload, brokers: str) -> dict[str, float]:
    """One agent on the workload. Raises RuntimeError."""
    with ExitStack() as stack:
        settings = stack.enter_context(installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        AGENT.prepare(workload, settings)
        agent = stack.enter_context(replace(AGENT, env={}).start(settings, folder))  # py-spy sees the sources only
        commands = Topology(settings.namespace).commands
        await_records(settings, commands, agent, workload.commands // 10)
        size, before = size_of(settings, commands), _cpu_of_threads(agent)
        time.sleep(_SECONDS)  # without the profiler, which costs CPU itself
        after, events = _cpu_of_threads(agent), size_of(settings, commands) - size
        names = {thread: _name(agent, thread) for thread in after}
        recorded = _record(agent, folder / "stacks")
    used = {thread: (after[thread] - before.get(thread, 0.0)) / max(events, 1) * 1e6 for thread in after}
    return budget(recorded, used, names)


def _cpu_of_threads(agent: Running) -> dict[str, float]:
    return {str(thread.id): thread.user_time + thread.system_time for thread in agent.process.threads()}


def _name(agent: Running, thread: str) -> str:
    """Whose a thread is that runs no Python."""
    comm = Path(f"/proc/{agent.process.pid}/task/{thread}/comm").read_text()
    return "threads of librdkafka" if comm.startswith("rdk:") else "threads of RocksDB and others"


def _record(agent: Running, file: Path) -> dict[str, Counter[str]]:
    """Stacks that held the interpreter, by thread."""
    options = ["--gil", "--threads", "--format", "raw", "--duration", str(_SECONDS), "--rate", str(_SAMPLES_PER_S)]
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(agent.process.pid), *options]
    subprocess.run([*command, "--output", str(file)], check=True, capture_output=True)
    return by_thread(file.read_text().splitlines())


def by_thread(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """From py-spy's lines: `thread (17): name;frame;frame count`."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        stack, _, count = line.rpartition(" ")
        _, _, rest = stack.partition("thread (")
        thread, _, _ = rest.partition(")")
        found[thread][stack] += int(count)
    return found


@click.command()
@click.option("--note", default="", help="What was changed, for the heading.")
def main(note: str) -> None:
    """Append a table for 1,000 and one for 100,000 sessions in flight."""
    with running_broker(java_options=()) as brokers:
        found = [profile(replace(of, pages=of.pages * _LONGER), brokers) for of in (FEW, MANY)]
    heading = f"## {moment()}" + (f": {note}" if note else "")
    hops = sorted(set().union(*found), key=lambda hop: -found[-1].get(hop, 0.0))
    rows = [(hop, *(f"{each.get(hop, 0.0):.1f}" for each in found)) for hop in hops]
    rows.append(("**all**", *(f"**{sum(each.values()):.1f}**" for each in found)))
    text = f"\n{heading}\n\n{table(('µs of CPU an event', FEW.name, MANY.name), rows)}\n"
    with RESULT.open("a") as file:
        file.write(text)
    click.echo(text)


if __name__ == "__main__":
    main()
