"""`Edition2Rule`: the compiled directives of one task of edition 2. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from triggers.core.conditions.tree import Conditions, Leaf
from triggers.core.expressions.program import Expression
from triggers.core.session_limits import Timeouts

DEFAULT_WAIT_MS: Final = 10_000
DEFAULT_MAX_WAIT_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """`delay`: how long an instance that is ready waits."""

    wait: int
    restart: bool = False
    at_most: int = 0
    """Maximum time since it became `delayed`, however often the delay restarts; 0 means no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """`deadline`: how long an instance may wait."""

    wait: int
    runs: bool = False
    """True if the instance then runs with what it holds, instead of expiring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """`retry`: when a failed attempt is tried again."""

    attempts: int
    wait: int = DEFAULT_WAIT_MS
    backoff: float = 2.0
    max_wait: int = DEFAULT_MAX_WAIT_MS
    jitter: float = 0.1
    on: tuple[str, ...] | None = None
    """Exception types that are retried, or None for all."""
    except_: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOn:
    """`cancelOn`: which events cancel an instance, and whether its running task is terminated."""

    leaves: tuple[Leaf, ...]
    terminate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition2Rule:
    """The compiled directives of a task."""

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
    timeouts: Timeouts | None = None
    """The limits of its attempts, or None if those of `$limits` apply."""
    retry: Retry | None = None
    cancel_on: CancelOn | None = None
    optional: bool = False
    """True if `$session.finalize` does not wait for the task while it has no instance."""
    remembers: bool = True
    """True if the session remembers more for the task than the latest kwargs of its triggers."""
    blind: bool = False
    """True if the rule reads neither the clocks nor the contents of what an instance holds, but only counts it."""
    simple: bool = False
    """True if the rule has only keys of edition 1, so that it means the same there."""
