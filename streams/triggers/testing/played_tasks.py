"""Tasks that a test plays instead of running them: with a result, an error, a duration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from triggers.core.durations import parse_duration
from triggers.storages.session_objects import moment

Duration = str | float | timedelta
"""A duration as in rules (a text such as "15m", or a number of seconds), or a `timedelta`."""


def milliseconds_of(duration: Duration) -> int:
    """Returns the duration in milliseconds. Raises InvalidConfiguration for anything else."""
    return parse_duration(duration.total_seconds() if isinstance(duration, timedelta) else duration, "duration")


@dataclass(frozen=True, slots=True)
class Takes:
    """A task that ends later, with any outcome."""

    milliseconds: int
    outcome: Any


def takes(duration: Duration, outcome: Any = None) -> Takes:
    """Returns a task that runs for some time of the session, in which other events happen, and then has the outcome."""
    return Takes(milliseconds_of(duration), outcome)


@dataclass(slots=True)
class InTurn:
    """A task with another outcome each time."""

    outcomes: tuple[Any, ...]
    _next: int = field(default=0)

    def take(self) -> Any:
        """Returns the next outcome; the last one is repeated."""
        outcome = self.outcomes[min(self._next, len(self.outcomes) - 1)]
        self._next += 1
        return outcome


def in_turn(first: Any, *others: Any) -> InTurn:
    """Returns a task whose first run has the first outcome, and so on; the last outcome is repeated."""
    return InTurn((first, *others))


@dataclass(frozen=True, slots=True)
class Lost:
    """A task that stops reporting."""

    begins: bool


NEVER_STARTS: Final = Lost(begins=False)
"""A task that no worker takes: its command stays in the queue."""
NEVER_ENDS: Final = Lost(begins=True)
"""A task that starts and never ends, as if its worker hung."""


@dataclass(slots=True)
class TaskRun:
    """One run of a task: one attempt of an instance."""

    instance: str
    """Name of the instance, `<task>#<number>`."""
    task: str
    """Name of the rule."""
    kwargs: dict[str, Any]
    """Keyword arguments with which the task was called."""
    attempt: int
    time: int
    """When it started, in milliseconds since 1970."""
    result: Any = None
    error: BaseException | None = None
    """The exception that it raised."""
    log_level: int = logging.NOTSET
    """Highest level that it logged with `TaskContext.get_logger_context`."""

    @property
    def at(self) -> str:
        """When it started, as ISO 8601 in UTC."""
        return f"{moment(self.time).isoformat(timespec='milliseconds')}Z"


def outcome_of(played: Any, run: TaskRun, call: Callable[[Any], Any]) -> Any:
    """Returns the result of a played task. Raises its error. `call` calls a function or a task of Celery."""
    if isinstance(played, BaseException) or (isinstance(played, type) and issubclass(played, BaseException)):
        raise played
    run.result = call(played) if callable(played) else played
    return run.result
