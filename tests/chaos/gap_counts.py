"""What agents say of gaps in the events that they read, summed over restarts: a metric begins anew with its process."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence

from tests.chaos.processes import AgentMachine

_EVERY_S = 1.0
_GAPS = re.compile(rb'^triggers_event_gaps_total\{outcome="([a-z]+)"\} ([0-9.e+]+)$', re.MULTILINE)


class GapCounts(threading.Thread):
    """Asks every agent for its metrics, once a second. What a killed one counted in its last second is not seen."""

    def __init__(self, agents: Sequence[AgentMachine]) -> None:
        super().__init__(name="gap-counts", daemon=True)
        self.total: Counter[str] = Counter()
        """Outcome -> how many gaps had it; without the guard there are none."""
        self._agents = agents
        self._last: dict[tuple[int, str], int] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(_EVERY_S):
            self.look()

    def finish(self) -> Counter[str]:
        """Look once more, and no more; everything that was counted."""
        self._ending.set()
        self.join()
        self.look()
        return self.total

    def look(self) -> None:
        """Ask every agent once."""
        for slot, agent in enumerate(self._agents):
            for outcome, figure in _GAPS.findall(agent.metrics()):
                self._add(slot, outcome.decode(), round(float(figure)))

    def _add(self, slot: int, outcome: str, now: int) -> None:
        """A figure that is smaller than the last one is that of another process."""
        last = self._last.get((slot, outcome), 0)
        self._last[slot, outcome] = now
        self.total[outcome] += now - last if now >= last else now
