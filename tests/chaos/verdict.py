"""The oracle's verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_MAX_SAMPLES = 5
_SUMS = (
    *("events", "commands", "sessions", "rows", "forwarded", "lost_tasks"),
    *("timers", "idle_timers", "cancelled", "forwards", "modelled", "ruled"),
)


@dataclass
class OracleVerdict:
    """Counts of one partition or of all. The campaign has failed unless `lost` and `wrong` are empty."""

    events: int = 0
    commands: int = 0
    sessions: int = 0
    rows: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    executions: int = 0
    duplicates: int = 0
    """Number of executions beyond the first of each attempt."""
    timers: int = 0
    """Number of timers that fired."""
    idle_timers: int = 0
    """Number of events of timers without an effect: too early, a second time, or of a timer that was stopped."""
    longest_wait_s: float = 0.0
    """Longest time by which a timer fired late."""
    cancelled: int = 0
    """Number of attempts that were cancelled."""
    forwards: int = 0
    """Number of triggers that rules forwarded to other sessions."""
    modelled: int = 0
    """Number of sessions that the second model judged, too."""
    ruled: int = 0
    """Number of sessions that have published rules."""
    publications: int = 0
    """Number of versions of published rules."""
    lost_tasks: int = 0
    """Number of attempts that were reported as failed because their process died. Their results are not lost."""
    lost: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Some samples of each kind of loss or error."""

    @property
    def is_clean(self) -> bool:
        """True if nothing was lost and nothing was wrong."""
        return not (self.lost.total() or self.wrong.total())

    def charge(self, book: Counter[str], what: str, cases: Iterable[object]) -> None:
        """Counts cases in `lost` or `wrong`, and keeps some of them as samples."""
        for case in cases:
            book[what] += 1
            self._keep(what, str(case)[:300])

    def add(self, other: OracleVerdict) -> None:
        """Adds the counts of another verdict."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest_wait_s = max(self.longest_wait_s, other.longest_wait_s)
        self.lost += other.lost
        self.wrong += other.wrong
        for what, samples in other.samples.items():
            for sample in samples:
                self._keep(what, sample)

    def _keep(self, what: str, sample: str) -> None:
        if len(samples := self.samples.setdefault(what, [])) < _MAX_SAMPLES:
            samples.append(sample)
