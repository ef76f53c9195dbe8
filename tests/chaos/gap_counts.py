"""Sums the agents' metrics of gaps over restarts, because a metric starts at 0 with its process."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence

from tests.chaos.processes import AgentMachine

_EVERY_S = 1.0
_GAPS = re.compile(rb'^triggers_event_gaps_total\{outcome="([a-z]+)"\} ([0-9.e+]+)$', re.MULTILINE)


class GapCounts(threading.Thread):
    """Reads every agent's metrics once a second. It misses what a killed agent counts in its last second."""

    def __init__(self, agents: Sequence[AgentMachine]) -> None:
        super().__init__(name="gap-counts", daemon=True)
        self.total: Counter[str] = Counter()
        """Outcome -> number of gaps. Without the guard there are none."""
        self._agents = agents
        self._last: dict[tuple[int, str], int] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(_EVERY_S):
            self.read_metrics()

    def finish(self) -> Counter[str]:
        """Reads the metrics once more, stops, and returns the sums."""
        self._ending.set()
        self.join()
        self.read_metrics()
        return self.total

    def read_metrics(self) -> None:
        """Reads every agent's metrics once."""
        for slot, agent in enumerate(self._agents):
            for outcome, figure in _GAPS.findall(agent.metrics()):
                self._add(slot, outcome.decode(), round(float(figure)))

    def _add(self, slot: int, outcome: str, now: int) -> None:
        """Adds the increase since the last reading. A smaller value comes from a new process."""
        last = self._last.get((slot, outcome), 0)
        self._last[slot, outcome] = now
        if increase := now - last if now >= last else now:
            self.total[outcome] += increase
