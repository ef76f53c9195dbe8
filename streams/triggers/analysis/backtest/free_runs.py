"""Finds the recorded run that a run under other rules corresponds to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from triggers.analysis.backtest.recorded import Run


class FreeRuns:
    """The recorded runs that no new run corresponds to yet."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._numbers: defaultdict[tuple[str, str, bytes], list[int]] = defaultdict(list)
        for number, run in enumerate(runs):
            self._numbers[run.task, run.run, run.kwargs].append(number)

    def take(self, run: Run) -> int | None:
        """Removes and returns the recorded run that this one corresponds to, or None.

        A run that the same event caused is preferred, then one of the same instance, then the earliest.
        """
        numbers = self._numbers.get((run.task, run.run, run.kwargs))
        if not numbers:
            return None
        number = min(numbers, key=lambda one: (not self._by_same_event(run, one), *self._distance(run, one)))
        numbers.remove(number)
        return number

    def _by_same_event(self, run: Run, number: int) -> bool:
        return run.position is not None and run.position == self._runs[number].position

    def _distance(self, run: Run, number: int) -> tuple[bool, int]:
        return run.instance != self._runs[number].instance, number
