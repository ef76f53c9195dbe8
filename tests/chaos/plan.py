"""The parameters of a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The parameters of a campaign. The same plan leads to the same faults at the same times."""

    seed: int
    duration_s: float
    folder: Path
    """Folder for logs, data and the report."""
    agents: int = 3
    celery_workers: int = 2
    brokers: int = 1
    partitions: int = 6
    events_per_s: float = 80.0
    """Average rate of the applications' events, without results and timers."""
    light_per_s: float = 0.0
    """Rate of another application, whose events rarely cause a command, so that Celery keeps up with thousands."""
    ruled: float = 0.3
    """Share of the events that are of sessions with published rules or rules of edition 2, or 0 for none."""
    dispatcher: bool = False
    """True if commands travel through a dispatcher and Redis instead of directly from Kafka."""
    calm_s: float = 0.0
    """Seconds without another fault after each one, or 0 to let faults overlap."""
    faults: tuple[str, ...] = ()
    """Kinds of faults, or nothing for all that fit."""
    package: Path | None = None
    """Folder with the copy of the package that agents run instead of this one, or None."""
    census: bool = True
    """True if the campaign ends with a census of lags."""
    session_timeout_s: float = 6.0
    drain_s: float = 240.0
    """Maximum number of seconds to drain after the faults."""

    @property
    def has_clock_faults(self) -> bool:
        """True if a fault may set an agent's clock."""
        return not self.faults or any(name.startswith("clock") for name in self.faults)
