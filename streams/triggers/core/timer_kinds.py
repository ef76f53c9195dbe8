"""`TimerKind`: why a timer of an instance was set."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TimerKind(StrEnum):
    """Why a timer of an instance was set: a directive of its rule, a cooldown, or the status it may be overdue in."""

    DELAY = "delay"
    RETRY = "retry"
    COOLDOWN = "cooldown"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    DEADLINE = "deadline"


TIMER_ORDER: Final = tuple(TimerKind)
"""The order in which timers that are due at the same time fire."""
