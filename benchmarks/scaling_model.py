"""What a rate of events needs: agents, partitions, brokers, executors, disk, recovery. Arithmetic on stated inputs.

`python -m benchmarks.scaling_model` prints the table of docs/scaling.md. What was measured is in benchmarks/README.md;
what is assumed says so. Change an input and run it again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from benchmarks.report import table
from triggers.topology import partition_of

RATES = (100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Per event, per task, per row: measured with `make bench` unless it says assumed."""

    agent_cpu_us: float = 75.0
    """CPU of an agent for one event, sessions coming from disk; a third of that where they are in memory."""
    broker_cpu_us: float = 12.0
    """CPU of a broker for one event: read, and its command and rows written, by a leader."""
    celery_cpu_us: float = 950.0
    """CPU of a Celery worker (prefork) for one task that does nothing, its results included; solo: half."""
    utilisation: float = 0.5
    """Assumed: share of its capacity that anything uses on average, so that peaks and catching up fit."""

    events_per_task: float = 3.0
    """A trigger that runs a task, `running` and `finished`."""
    event_bytes: int = 280
    command_bytes: int = 390
    rows_per_event: float = 2.0
    """A page writes two, and so does a result."""
    row_bytes: int = 310
    compression: float = 0.6
    """Assumed: stored bytes by produced bytes, lz4."""
    replicas: int = 3

    live_sessions_per_event_per_s: float = 1000.0
    """Assumed: sessions that are not finished, for each event a second: one event every quarter of an hour each."""
    rows_per_session: float = 10.0
    """Of five pages."""
    session_disk_bytes: int = 750
    """RocksDB on the agent's disk, five pages of 200 bytes."""
    recovery_rows_per_s: float = 350_000.0
    """Of one agent."""
    session_timeout_s: float = 6.0
    """`session_timeout_s` of the settings: how long a dead agent is waited for."""
    planned_stall_s: float = 1.2
    """Longest stall of a session when an agent is stopped in good order."""

    event_retention_days: float = 7.0
    """Assumed: `topics create --retention-days`, longer than any session lives."""
    broker_write_mb_s: float = 150.0
    """Assumed: what a broker's disks take, replication included."""
    broker_cores: int = 16
    """Assumed."""
    broker_partitions: int = 4000
    """Assumed: replicas of partitions on one broker, Kafka's own advice."""
    partitions_per_agent: int = 8
    """Assumed at the launch: so that the agents can become eight times as many, and hashing evens out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a rate needs."""

    events_per_s: float
    agents: int
    """Processes, one core each."""
    partitions: int
    celery_cores: int
    brokers: int
    brokers_because: str
    event_disk_tb: float
    """On all brokers, replicas included."""
    state_disk_gb: float
    """RocksDB of one agent."""
    recovery_s: float
    """Of an agent that comes back without its disk."""
    crash_stall_s: float
    """Longest wait of a session whose agent is killed: the survivors share its partitions."""
    planned_stall_s: float


def needs(events_per_s: float, inputs: Inputs) -> Needs:
    """The arithmetic; every rounding is upwards."""
    agents = math.ceil(events_per_s * inputs.agent_cpu_us / 1e6 / inputs.utilisation)
    partitions = agents * inputs.partitions_per_agent
    tasks_per_s = events_per_s / inputs.events_per_task
    rows = events_per_s * inputs.live_sessions_per_event_per_s * inputs.rows_per_session / agents
    sharers = max(1, min(agents - 1, inputs.partitions_per_agent))
    brokers, because = _brokers(events_per_s, partitions, inputs)
    stored = events_per_s * inputs.event_bytes * inputs.compression * inputs.replicas
    return Needs(
        events_per_s=events_per_s,
        agents=agents,
        partitions=partitions,
        celery_cores=math.ceil(tasks_per_s * inputs.celery_cpu_us / 1e6 / inputs.utilisation),
        brokers=brokers,
        brokers_because=because,
        event_disk_tb=stored * inputs.event_retention_days * 86_400 / 1e12,
        state_disk_gb=events_per_s * inputs.live_sessions_per_event_per_s * inputs.session_disk_bytes / agents / 1e9,
        recovery_s=rows / inputs.recovery_rows_per_s,
        crash_stall_s=inputs.session_timeout_s + rows / sharers / inputs.recovery_rows_per_s,
        planned_stall_s=inputs.planned_stall_s + rows / sharers / inputs.recovery_rows_per_s,
    )


def _brokers(events_per_s: float, partitions: int, inputs: Inputs) -> tuple[int, str]:
    """How many, and what limits them."""
    limits = {
        "disk writes": written_mb_s(events_per_s, inputs) / inputs.broker_write_mb_s,
        "CPU": events_per_s * inputs.broker_cpu_us * inputs.replicas / 1e6 / inputs.broker_cores,
        "partitions": 3 * partitions * inputs.replicas * inputs.utilisation / inputs.broker_partitions,
    }
    because = max(limits, key=lambda name: limits[name])
    return max(inputs.replicas, math.ceil(limits[because] / inputs.utilisation)), because


def written_mb_s(events_per_s: float, inputs: Inputs) -> float:
    """Events, commands and rows, on all replicas, compressed."""
    commands = inputs.command_bytes / inputs.events_per_task
    per_event = inputs.event_bytes + commands + inputs.rows_per_event * inputs.row_bytes
    return events_per_s * per_event * inputs.compression * inputs.replicas / 1e6


def busiest_agent(sessions: int, partitions: int, agents: int) -> float:
    """How much more than the average the busiest agent gets when equal sessions are hashed to partitions."""
    load = Counter(partition_of(b"session-%d" % number, partitions) % agents for number in range(sessions))
    return max(load.values()) * agents / sessions


def rows(found: Sequence[Needs]) -> Iterator[tuple[str, ...]]:
    """The table's."""
    yield ("agents (processes, a core each)", *(f"{n.agents:,}" for n in found))
    yield ("partitions of the events", *(f"{n.partitions:,}" for n in found))
    yield ("Celery cores, tasks that do nothing", *(f"{n.celery_cores:,}" for n in found))
    yield ("brokers, and what decides that", *(f"{n.brokers:,} ({n.brokers_because})" for n in found))
    yield ("events kept on all brokers, TB", *(f"{n.event_disk_tb:,.0f}" for n in found))
    yield ("RocksDB of one agent, GB", *(f"{n.state_disk_gb:,.0f}" for n in found))
    yield ("recovery of an agent without its disk, s", *(f"{n.recovery_s:,.0f}" for n in found))
    yield ("longest stall, agent killed, its disk lost, s", *(f"{n.crash_stall_s:,.0f}" for n in found))
    yield ("longest stall, agent stopped in good order, s", *(f"{n.planned_stall_s:,.0f}" for n in found))


def scaling_table(inputs: Inputs) -> str:
    """As docs/scaling.md has it."""
    found = [needs(rate, inputs) for rate in RATES]
    return table(("events/s", *(f"{n.events_per_s:,.0f}" for n in found)), rows(found))


if __name__ == "__main__":
    click.echo(scaling_table(Inputs()))
