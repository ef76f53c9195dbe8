"""The turns in which systems are measured: all of them in every round, until the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaException

from triggers.errors import TriggersError

System = TypeVar("System")
Figure = TypeVar("Figure")
Say = Callable[[str], None]

_FAILURES = (RuntimeError, TriggersError, KafkaException)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What the sections share."""

    brokers: str
    rounds: int
    latency_s: float
    """Seconds of a measurement of latency."""
    say: Say
    leave_out: Say
    """Records what could not be measured, and why."""
    ends_at: float
    """Time of `time.monotonic()` after which nothing more is measured."""

    def of(self, systems: Sequence[System]) -> Iterator[tuple[int, System]]:
        """Yields the number of the round and the system, until the rounds or the time are over."""
        for number in range(1, self.rounds + 1):
            for system in systems:
                if time.monotonic() > self.ends_at:
                    self.leave_out(f"the rest of round {number} of {self.rounds}: the time was over")
                    return
                yield number, system

    def measure(self, what: str, measured: Callable[[], Figure]) -> Figure | None:
        """Measures once. If that fails, the others' figures are kept."""
        try:
            return measured()
        except _FAILURES as error:
            self.leave_out(f"{what}: {error}")
            return None
