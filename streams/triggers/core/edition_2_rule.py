"""A compiled task of edition 2: its conditions, its times, and how it is called (sections 3 to 9 of the rules)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from triggers.core.conditions.tree import Conditions, Leaf
from triggers.core.expressions.program import Expression

DEFAULT_WAIT_MS: Final = 10_000
DEFAULT_MAX_WAIT_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """`delay`: how long an instance that is ready waits. Milliseconds."""

    wait: int
    restart: bool = False
    at_most: int = 0
    """From the moment at which it became `delayed`; 0: without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """`deadline`: how long an instance may wait. Milliseconds."""

    wait: int
    runs: bool = False
    """It starts with what it holds, instead of expiring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """`retry`: when a failed attempt is tried again. Times are in milliseconds."""

    attempts: int
    wait: int = DEFAULT_WAIT_MS
    backoff: float = 2.0
    max_wait: int = DEFAULT_MAX_WAIT_MS
    jitter: float = 0.1
    on: tuple[str, ...] | None = None
    """Types to retry; None: all."""
    except_: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOn:
    """`cancelOn`: which event cancels an instance, and whether its running task is terminated."""

    leaves: tuple[Leaf, ...]
    terminate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """`timeouts`, in milliseconds; 0 means that there is no limit."""

    scheduled: int = 0
    running: int = 0
    attempts: int = 3


NO_TIME_LIMITS: Final = TimeLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition2Rule:
    """A compiled task."""

    name: str
    run: str
    conditions: Conditions
    using: str | None = None
    with_params: dict[str, object] = field(default_factory=dict)
    arguments: dict[str, Expression] | None = None
    """`with`: the keyword arguments of the call."""
    queue: str | None = None
    delay: Delay | None = None
    deadline: Deadline | None = None
    timeouts: TimeLimits | None = None
    """None for those of `$limits`."""
    retry: Retry | None = None
    cancel_on: CancelOn | None = None
    optional: bool = False
    """`$session.finalize` does not wait for it while it has no instance."""
    remembers: bool = True
    """The session remembers more for it than the latest kwargs of its triggers."""
    blind: bool = False
    """It looks at neither clocks nor contents of what an instance holds."""
    simple: bool = False
    """It has keys of edition 1 only, and means what it meant there."""
