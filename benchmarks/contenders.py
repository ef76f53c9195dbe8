"""The programs that are compared, and their workloads."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.compiled import agent_environment
from benchmarks.environments import python_of
from benchmarks.throughput import Program
from benchmarks.workload import Workload

PASSTHROUGH = Program(name="pass-through", module="benchmarks.programs.passthrough")
TRANSACTIONAL = Program(name="transactional pass-through", module="benchmarks.programs.transactional_passthrough")
AGENT = Program(name="triggers agent", module="benchmarks.programs.agent", env=agent_environment(), rules=True)
TWO_AGENTS = replace(AGENT, name="two triggers agents", arguments=("2",))
FAUST = Program(name="stock Faust", module="benchmarks.programs.stock_faust", share=0.1)

FEW = Workload(name="1,000 sessions in flight", in_flight=1000, pages=100)
MANY = Workload(name="100,000 sessions in flight", in_flight=100_000, pages=1)
LONGER = replace(FEW, name="1,000 sessions in flight, four times as long", pages=400)
"""Workload that is long enough for a rebalance at the start not to matter."""

SHORT = Workload(name="whole sessions of 5 pages", in_flight=1000, pages=5, waves=10, whole=True)
LONG = Workload(name="whole sessions of 500 pages", in_flight=100, pages=500, whole=True)


def quix() -> Program:
    """Returns Quix Streams in a separate environment, because it pins another confluent-kafka. Raises SettingsError."""
    return Program(name="Quix Streams", module="benchmarks.programs.quix_agent", python=python_of("quix"), share=0.2)
