"""What the oracle found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_MAX_SAMPLES = 5


@dataclass
class Verdict:
    """Counts of one partition or of all. `lost` and `wrong` are 0, or the campaign has failed."""

    events: int = 0
    commands: int = 0
    sessions: int = 0
    rows: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    executions: int = 0
    duplicates: int = 0
    """Executions of a task beyond one for each attempt."""
    lost_tasks: int = 0
    """Attempts reported as failed because their process died; each with a result, so not lost."""
    lost: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Some of each, for people."""

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing wrong."""
        return not (self.lost.total() or self.wrong.total())

    def charge(self, book: Counter[str], what: str, cases: Iterable[object]) -> None:
        """Count cases of something lost or wrong, and keep some of them."""
        for case in cases:
            book[what] += 1
            self._keep(what, str(case)[:300])

    def add(self, other: Verdict) -> None:
        """What was found elsewhere is found, too."""
        for name in ("events", "commands", "sessions", "rows", "forwarded", "lost_tasks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lost += other.lost
        self.wrong += other.wrong
        for what, kept in other.samples.items():
            for sample in kept:
                self._keep(what, sample)

    def _keep(self, what: str, sample: str) -> None:
        if len(kept := self.samples.setdefault(what, [])) < _MAX_SAMPLES:
            kept.append(sample)
