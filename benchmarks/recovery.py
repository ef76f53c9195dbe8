"""`python -m benchmarks.recovery` measures `triggers rebuild` and `copy` beside the agent, on the same events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from resource import struct_rusage
from tempfile import TemporaryDirectory

import click
import msgspec
from confluent_kafka.admin import AdminClient
from msgspec import structs

from benchmarks.compiled import agent_environment, describe_agents
from benchmarks.contenders import AGENT
from benchmarks.delivery import create_installation, publish
from benchmarks.processes import ROOT, Running
from benchmarks.workload import Workload
from triggers.client.consumer_lag import measure_lag
from triggers.dev import child_process
from triggers.dev.broker import running_broker
from triggers.settings import Settings
from triggers.topology import Topology

_IN_FLIGHT = 1_000
_POLL_S = 0.5
_STOP_S = 60.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A command, or the agent, on all events of the installation."""

    name: str
    events_per_s: float
    cpu_us_per_event: float
    """CPU time of all threads of the process, its start included."""
    resident_mb: float


@click.command()
@click.option("--sessions", type=click.IntRange(1), default=20_000, show_default=True, help="Number of sessions.")
@click.option("--pages", type=click.IntRange(0), default=5, show_default=True, help="Pages of each session.")
@click.option("--partitions", type=click.IntRange(1), default=8, show_default=True, help="Number of partitions.")
def main(*, sessions: int, pages: int, partitions: int) -> None:
    """Measure on a Kafka that is started for it. A session has five events and its pages."""
    waves = max(sessions // _IN_FLIGHT, 1)
    workload = Workload(name="recovery", in_flight=min(sessions, _IN_FLIGHT), pages=pages, waves=waves, whole=True)
    size = f"{workload.events} events of {workload.sessions} sessions"
    click.echo(f"{size}, {partitions} partitions, {describe_agents()}")
    with running_broker(java_options=()) as brokers, create_installation(brokers, partitions) as settings:
        publish(settings, workload.all_events())
        steps = [_run_agent(settings, workload)]
        steps.append(_run("rebuild --check", settings, workload, ["rebuild", "--check", "--json"]))
        steps.append(_rebuild_lost(settings, workload))
        steps.append(_copy(settings, workload))
    for step in steps:
        click.echo(
            f"{step.name:22} {step.events_per_s:>9,.0f} events/s {step.cpu_us_per_event:>7.1f} µs of CPU per event"
            f" {step.resident_mb:>7,.0f} MB"
        )


def _run_agent(settings: Settings, workload: Workload) -> Step:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        started = time.monotonic()
        agent = stack.enter_context(AGENT.start(settings, folder))
        while not _is_done(settings, agent):
            time.sleep(_POLL_S)
        seconds = time.monotonic() - started
        times, memory = agent.process.cpu_times(), agent.process.memory_info().rss
        child_process.stop(agent.child, _STOP_S)  # so that it leaves its group
    return _step("agent", workload, seconds, times.user + times.system, memory / 2**20)


def _is_done(settings: Settings, agent: Running) -> bool:
    agent.check()
    names = Topology(settings.namespace)
    lags = [each for each in measure_lag(settings) if each.group == names.agents]
    return bool(lags) and all(each.records == 0 for each in lags)


def _rebuild_lost(settings: Settings, workload: Workload) -> Step:
    names = Topology(settings.namespace)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_topics([names.changelog])[names.changelog].result(30)
    while names.changelog in admin.list_topics(timeout=30).topics:
        time.sleep(_POLL_S)
    _call(settings, ["topics", "create", "--replication-factor", "1"])
    return _run("rebuild, all lost", settings, workload, ["rebuild", "--json"])


def _copy(settings: Settings, workload: Workload) -> Step:
    target = structs.replace(settings, namespace=f"{settings.namespace}-copy")
    options = ["--partitions", str(2 * settings.partitions), "--json"]
    return _run("copy, twice the partitions", target, workload, ["copy", settings.namespace, *options])


def _run(name: str, settings: Settings, workload: Workload, arguments: Sequence[str]) -> Step:
    started = time.monotonic()
    usage = _call(settings, arguments)
    seconds = time.monotonic() - started
    return _step(name, workload, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _call(settings: Settings, arguments: Sequence[str]) -> struct_rusage:
    """Runs a command to its end, and returns what it has used. Raises RuntimeError."""
    address = ("--brokers", settings.brokers, "--namespace", settings.namespace)
    environment = {**os.environ, **agent_environment()}
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            command = [sys.executable, "-m", "triggers.cli", *address, *arguments]
            child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
            _, status, usage = os.wait4(child.pid, 0)
        if code := os.waitstatus_to_exitcode(status):
            raise RuntimeError(f"{arguments[0]} ended with {code}:\n{log.read_text()[-2000:]}")
    return usage


def _step(name: str, workload: Workload, seconds: float, cpu_s: float, megabytes: float) -> Step:
    return Step(
        name=name,
        events_per_s=workload.events / seconds,
        cpu_us_per_event=cpu_s / workload.events * 1e6,
        resident_mb=megabytes,
    )


if __name__ == "__main__":
    main()
