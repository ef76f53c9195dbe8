"""The sizes of a run: `make bench` takes minutes, `make bench-full` an hour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of a run of all sections."""

    rounds: int
    """Number of rounds, each with a run of every program."""
    latency_rounds: int
    latency_s: float
    celery_rounds: int
    celery_tasks: int
    recovered_sessions: int
    recovered_partitions: int
    takeovers: int
    old_short_sessions: int
    """Number of sessions of 5 pages for the old framework."""
    old_long_sessions: int
    """Number of sessions of 500 pages for the old framework."""
    soak_s: float
    peer_rounds: int
    """Number of rounds in which other systems run."""


QUICK = Plan(
    rounds=2,
    latency_rounds=1,
    latency_s=10,
    celery_rounds=1,
    celery_tasks=2000,
    recovered_sessions=20_000,
    recovered_partitions=8,
    takeovers=2,
    old_short_sessions=100,
    old_long_sessions=1,
    soak_s=60,
    peer_rounds=1,
)
FULL = Plan(
    rounds=5,
    latency_rounds=3,
    latency_s=30,
    celery_rounds=3,
    celery_tasks=3000,
    recovered_sessions=1_000_000,
    recovered_partitions=64,
    takeovers=10,
    old_short_sessions=200,
    old_long_sessions=2,
    soak_s=1800,
    peer_rounds=5,
)
