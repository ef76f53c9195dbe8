"""Calculates the agents, partitions, brokers, executors and disks that a rate of events needs, from stated inputs.

`python -m benchmarks.scaling_model` prints the table of docs/operations/sizing.md. Inputs are measured
(benchmarks/README.md) unless they say that they are assumed. Change an input and run it again.
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
    """The inputs of the model. They were measured with `make bench` unless they are marked as assumed."""

    agent_cpu_us: float = 78.0
    """CPU time of an agent per event, with 100,000 sessions in flight on disk. With 1,000 in memory, it is a third."""
    broker_cpu_us: float = 12.0
    """CPU time of a leading broker per event, to serve the event and write its command and rows."""
    celery_cpu_us: float = 710.0
    """CPU time of a Celery worker (prefork) per task that does nothing, with its results: 260 µs in the pool and 450 µs
    in the main process (the medians of docs/decisions/0033-results-in-batches.md)."""
    utilisation: float = 0.5
    """Assumed: average utilization, which leaves capacity for peaks and for catching up."""

    events_per_task: float = 3.0
    """Events per task: the trigger that runs it, `running` and `finished`."""
    event_bytes: int = 280
    command_bytes: int = 390
    rows_per_event: float = 2.0
    """Rows per event. A page writes two, and so does a result."""
    row_bytes: int = 310
    compression: float = 0.6
    """Assumed: ratio of stored to produced bytes with lz4."""
    replicas: int = 3

    live_sessions_per_event_per_s: float = 1000.0
    """Assumed: open sessions for each event per second. Each session has an event every quarter of an hour."""
    rows_per_session: float = 10.0
    """Rows of a session of five pages."""
    session_disk_bytes: int = 750
    """Bytes of a session in RocksDB, with five pages of 200 bytes."""
    recovery_rows_per_s: float = 350_000.0
    """Changelog rows per second that an agent recovers."""
    session_timeout_s: float = 6.0
    """`session_timeout_s` of the settings, after which a dead agent's partitions are reassigned."""
    planned_stall_s: float = 1.2
    """Longest stall of a session when an agent is stopped with SIGTERM."""

    event_retention_days: float = 7.0
    """Assumed: `topics create --retention-days`, which is longer than any session lives."""
    broker_write_mb_s: float = 150.0
    """Assumed: write rate of a broker's disks, with replication."""
    broker_cores: int = 16
    """Assumed."""
    broker_partitions: int = 4000
    """Assumed: replicas of partitions per broker, by Kafka's advice."""
    partitions_per_agent: int = 8
    """Assumed: partitions per agent at the start. The number of agents can grow eightfold, and hashing evens out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a rate of events needs."""

    events_per_s: float
    agents: int
    """Number of processes. Each uses a core."""
    partitions: int
    celery_cores: int
    brokers: int
    brokers_because: str
    event_disk_tb: float
    """Events on all brokers, with replicas."""
    state_disk_gb: float
    """Size of an agent's RocksDB."""
    recovery_s: float
    """Seconds to recover an agent without its disk."""
    crash_stall_s: float
    """Longest stall of a session whose agent is killed, when the survivors share its partitions."""
    planned_stall_s: float


def calculate_needs(events_per_s: float, inputs: Inputs) -> Needs:
    """Calculates what a rate needs. It rounds up."""
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
    """Returns the number of brokers and what limits it."""
    limits = {
        "disk writes": written_mb_s(events_per_s, inputs) / inputs.broker_write_mb_s,
        "CPU": events_per_s * inputs.broker_cpu_us * inputs.replicas / 1e6 / inputs.broker_cores,
        "partitions": 3 * partitions * inputs.replicas * inputs.utilisation / inputs.broker_partitions,
    }
    because = max(limits, key=lambda name: limits[name])
    return max(inputs.replicas, math.ceil(limits[because] / inputs.utilisation)), because


def written_mb_s(events_per_s: float, inputs: Inputs) -> float:
    """Returns the compressed size of events, commands and rows on all replicas."""
    commands = inputs.command_bytes / inputs.events_per_task
    per_event = inputs.event_bytes + commands + inputs.rows_per_event * inputs.row_bytes
    return events_per_s * per_event * inputs.compression * inputs.replicas / 1e6


def busiest_agent(sessions: int, partitions: int, agents: int) -> float:
    """Returns the load of the busiest agent relative to the average when equal sessions are hashed to partitions."""
    load = Counter(partition_of(b"session-%d" % number, partitions) % agents for number in range(sessions))
    return max(load.values()) * agents / sessions


def table_rows(columns: Sequence[Needs]) -> Iterator[tuple[str, ...]]:
    """Returns the rows of the table."""
    yield ("agents (processes, a core each)", *(f"{n.agents:,}" for n in columns))
    yield ("partitions of the events", *(f"{n.partitions:,}" for n in columns))
    yield ("Celery cores, tasks that do nothing", *(f"{n.celery_cores:,}" for n in columns))
    yield ("brokers, and what decides that", *(f"{n.brokers:,} ({n.brokers_because})" for n in columns))
    yield ("events kept on all brokers, TB", *(f"{n.event_disk_tb:,.0f}" for n in columns))
    yield ("RocksDB of one agent, GB", *(f"{n.state_disk_gb:,.0f}" for n in columns))
    yield ("recovery of an agent without its disk, s", *(f"{n.recovery_s:,.0f}" for n in columns))
    yield ("longest stall, agent killed, its disk lost, s", *(f"{n.crash_stall_s:,.0f}" for n in columns))
    yield ("longest stall, agent stopped in good order, s", *(f"{n.planned_stall_s:,.0f}" for n in columns))


def scaling_table(inputs: Inputs) -> str:
    """Returns the table of docs/operations/sizing.md."""
    columns = [calculate_needs(rate, inputs) for rate in RATES]
    return table(("events/s", *(f"{n.events_per_s:,.0f}" for n in columns)), table_rows(columns))


if __name__ == "__main__":
    click.echo(scaling_table(Inputs()))
