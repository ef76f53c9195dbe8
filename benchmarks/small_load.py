"""Compares waits before a transaction under a small load: `python -m benchmarks.small_load`.

Each page runs a task that does nothing. Fire to the start of the task, and CPU time of a task by process, are measured
for each setting of `TRIGGERS_TRANSACTION_INTERVAL_S` and `TRIGGERS_TRANSACTION_LINGER_S` in turns, on one warm broker.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
import msgspec
import psutil

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, create_installation, publish
from benchmarks.latency import Latency, celery_worker, fire_steadily, summarize
from benchmarks.machine import describe_moment
from benchmarks.processes import find_broker, watch_costs
from benchmarks.report import table
from benchmarks.workload import Workload
from triggers.dev.broker import running_broker
from triggers.topology import Topology

_SESSIONS = Workload(name="small load", in_flight=1000, pages=0, whole=True)
_WARM_UP_S = 3.0
"""Time before the measurement, at the same rate and with the same producer: a new one waits for its id at first."""
_BROKER_WARM_UP_S = 15.0


class Run(msgspec.Struct, frozen=True):
    """One run of one setting."""

    latency: Latency
    cpu_ms: dict[str, float]
    """Milliseconds of CPU for a task, by process."""


def measure_small_load(
    brokers: str, broker: psutil.Process, waits: Sequence[float], *, rate: int, agents: int, seconds: float
) -> Run:
    """Measures a run; `waits` are the interval and the linger in seconds. Raises RuntimeError."""
    interval_s, linger_s = waits
    env = {"TRIGGERS_TRANSACTION_INTERVAL_S": str(interval_s), "TRIGGERS_TRANSACTION_LINGER_S": str(linger_s)}
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(brokers))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        publish(settings, _SESSIONS.all_events())
        program = replace(AGENT, env={**AGENT.env, **env}, arguments=() if agents == 1 else (str(agents),))
        agent = stack.enter_context(program.start(settings, folder))
        names = Topology(settings.namespace)
        await_records(settings, names.commands, agent, _SESSIONS.sessions)
        celery = stack.enter_context(celery_worker(settings, folder, "-c2", BENCH_NOTES=str(folder / "notes")))
        await_records(settings, names.events, celery, _SESSIONS.events + 2 * _SESSIONS.sessions)
        with watch_costs(agent.process, celery.process, broker) as costs:
            start = time.time() + _WARM_UP_S
            fire_steadily(settings, _WARM_UP_S + seconds, rate)
            time.sleep(0.5)
            end = time.time()
        started = _notes(folder)[int(_WARM_UP_S * rate) :]
    cpu_ms = [cost.cpu_between(start, end) / len(started) * 1000 for cost in costs]
    return Run(summarize(started), dict(zip(("agents", "celery", "broker"), cpu_ms, strict=True)))


def _notes(folder: Path) -> list[float]:
    return [float(line) for line in (folder / "notes").read_text().split()]


def _row(name: str, runs: Sequence[Run]) -> tuple[str, ...]:
    p50 = _spread([run.latency.p50 for run in runs])
    p99 = _spread([run.latency.p99 for run in runs])
    parts = [f"{median([run.cpu_ms[part] for run in runs]):.2f}" for part in ("agents", "celery", "broker")]
    return name, p50, p99, _spread([sum(run.cpu_ms.values()) for run in runs]), *parts


def _spread(figures: Sequence[float]) -> str:
    return f"{min(figures):.1f} / {median(figures):.1f} / {max(figures):.1f}"


@click.command()
@click.option("--rate", default=50, show_default=True, help="Number of tasks per second.")
@click.option("--agents", default=2, show_default=True, help="Number of agents.")
@click.option("--seconds", default=10.0, show_default=True, help="Seconds of each run that are measured.")
@click.option("--rounds", default=3, show_default=True, help="Number of runs of each setting.")
@click.option("--waits", default="0/0 0.01/0.05", show_default=True, help="Settings to compare, as interval/linger.")
def main(rate: int, agents: int, seconds: float, rounds: int, waits: str) -> None:
    """Print a table with the minimum, the median and the maximum of each setting."""
    pairs = {each: [float(part) for part in each.split("/")] for each in waits.split()}
    runs: dict[str, list[Run]] = {each: [] for each in pairs}
    with running_broker(java_options=()) as brokers:
        broker = find_broker()
        if broker is None:
            raise click.ClickException("this benchmark needs a broker on this machine's Java")
        measure = partial(measure_small_load, brokers, broker, rate=rate, agents=agents)
        measure(pairs[next(iter(pairs))], seconds=_BROKER_WARM_UP_S)
        for _ in range(rounds):
            for name, pair in pairs.items():
                runs[name].append(measure(pair, seconds=seconds))
                click.echo(f"{name}: {runs[name][-1]}", err=True)
    click.echo(f"{rate} tasks/s, {agents} agents, {describe_moment()}\n")
    head = ("interval/linger", "p50 ms", "p99 ms", "CPU ms of a task", "agents", "celery", "broker")
    click.echo(table(head, [_row(name, each) for name, each in runs.items()]))


if __name__ == "__main__":
    main()
