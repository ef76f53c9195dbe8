"""`TimerKind`: why a timer of an instance was set."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TimerKind(StrEnum):
    """`TimerKind`: why a timer of an instance was set."""

    DELAY = "delay"
    RETRY = "retry"
    COOLDOWN = "cooldown"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    DEADLINE = "deadline"


TIMER_ORDER: Final = tuple(TimerKind)
"""In which they come if they are due at the same time."""
