"""The arithmetic of docs/operations/sizing.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scaling_model import Inputs, busiest_agent, calculate_needs, scaling_table, written_mb_s

ROOT = Path(__file__).parents[3]
INPUTS = Inputs()


def test_the_document_has_the_model_s_table() -> None:
    assert scaling_table(INPUTS) in (ROOT / "docs" / "operations" / "sizing.md").read_text(), (
        "write it again with: python -m benchmarks.scaling_model"
    )


def test_ten_times_the_events_need_ten_times_the_processes_with_the_same_stall() -> None:
    small, large = calculate_needs(100_000, INPUTS), calculate_needs(1_000_000, INPUTS)

    assert large.agents == pytest.approx(10 * small.agents, rel=0.1)
    assert large.celery_cores == pytest.approx(10 * small.celery_cores, rel=0.1)
    assert large.recovery_s == pytest.approx(small.recovery_s, rel=0.1)


def test_half_the_cpu_per_event_needs_half_the_agents() -> None:
    cheaper = replace(INPUTS, agent_cpu_us=INPUTS.agent_cpu_us / 2)

    assert calculate_needs(1_000_000, cheaper).agents == pytest.approx(
        calculate_needs(1_000_000, INPUTS).agents / 2, rel=0.1
    )


def test_even_a_small_rate_needs_an_agent_and_a_broker_for_each_replica() -> None:
    smallest = calculate_needs(1, INPUTS)

    assert (smallest.agents, smallest.brokers) == (1, INPUTS.replicas)


def test_a_stall_grows_with_the_number_of_open_sessions() -> None:
    busier = replace(INPUTS, live_sessions_per_event_per_s=2 * INPUTS.live_sessions_per_event_per_s)

    assert calculate_needs(1_000_000, busier).crash_stall_s > calculate_needs(1_000_000, INPUTS).crash_stall_s


def test_the_write_rate_counts_events_commands_and_rows_on_every_replica() -> None:
    plain = replace(
        INPUTS, event_bytes=100, command_bytes=300, events_per_task=3, rows_per_event=2, row_bytes=50, compression=1
    )

    assert written_mb_s(1_000_000, replace(plain, replicas=3)) == pytest.approx(900)


def test_more_partitions_per_agent_balance_the_load() -> None:
    assert busiest_agent(5000, partitions=64, agents=7) < busiest_agent(5000, partitions=8, agents=7)
