"""A configuration as the engine looks it up: rules, who uses a trigger, limits.

Plain data classes, made once and read by every event: compiled, reading a field of them costs next to nothing, and
thirty times as much if they were msgspec's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

DEFAULT_CASCADE_DEPTH: Final = 1000
DEFAULT_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long an attempt may be `scheduled` and `running`, in milliseconds; 0: for ever."""

    scheduled: int = 0
    running: int = 0
    attempts: int = DEFAULT_ATTEMPTS
    """How often an instance is issued at most, before it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one session."""

    max_cascade_depth: int = DEFAULT_CASCADE_DEPTH
    """How many results may follow from one another without an event from outside."""
    session_ttl: int = 0
    """Milliseconds without an event after which the session is deleted; 0: never."""
    timeouts: Timeouts = Timeouts()
    """Of tasks that have none of their own."""


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """One rule. Trigger names are sorted: their order in the JSON means nothing."""

    name: str
    run: str
    after: tuple[str, ...]
    """All of these; `and_every` is one of them."""
    and_every: str | None = None
    unless: tuple[str, ...] = ()
    using: str | None = None
    with_params: bytes = b"{}"
    """JSON object."""
    timeouts: Timeouts = DEFAULT_LIMITS.timeouts
    extra: dict[str, bytes] = field(default_factory=dict)
    """The application's own keys, JSON values."""
    after_set: frozenset[str] = frozenset()
    unless_set: frozenset[str] = frozenset()

    def uses_trigger(self, trigger: str) -> bool:
        """Whether the trigger can change an instance of this task."""
        return trigger in self.after_set or trigger in self.unless_set


@dataclass(frozen=True, slots=True)
class Plan:
    """A configuration, compiled once."""

    digest: bytes
    """Hash of `text`; empty: no configuration."""
    text: bytes
    """The whole configuration, JSON."""
    tasks: dict[str, TaskConfig]
    """In declaration order."""
    by_trigger: dict[str, tuple[TaskConfig, ...]]
    """Tasks that use the trigger, in declaration order."""
    limits: Limits = DEFAULT_LIMITS
    manager: str = ""
    """Key of the manager whose hooks run; empty: the configuration names none."""


NO_CONFIGURATION: Final = Plan(b"", b"{}", {}, {})
