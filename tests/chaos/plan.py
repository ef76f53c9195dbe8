"""What a campaign is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One campaign; the same plan gives the same faults at the same times."""

    seed: int
    duration_s: float
    folder: Path
    """Where logs, data and the report go."""
    agents: int = 3
    celery_workers: int = 2
    brokers: int = 1
    partitions: int = 6
    events_per_s: float = 80.0
    """Of the applications, on average; results and timers come on top."""
    light_per_s: float = 0.0
    """Events a second of one more application, of which few cause a command: Celery keeps up with thousands."""
    dispatcher: bool = False
    """Commands travel through a dispatcher and Redis instead of straight from Kafka."""
    calm_s: float = 0.0
    """How long nothing else happens after each fault; 0: they come as they come."""
    faults: tuple[str, ...] = ()
    """Kinds of faults; none: all that fit."""
    package: Path | None = None
    """A copy of the package that the agents run instead of this one."""
    census: bool = True
    """Compare every lag that the product shows with a count of what is unfinished, at the end."""
    session_timeout_s: float = 6.0
    drain_s: float = 240.0
    """How long the rest may take when the faults are over."""
