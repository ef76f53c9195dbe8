"""The statuses of an instance, and which of them may follow which.

unstarted ─▶ scheduled ─▶ running ─▶ finished | failed | skipped | any status of the application's own
    │                                            │
    └─▶ abandoned                                └─▶ replayed | skipped
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The statuses of the framework. An application may set others."""

    UNSTARTED = "unstarted"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    SKIPPED = "skipped"
    ABANDONED = "abandoned"
    REPLAYED = "replayed"


UNSTARTED: Final = "unstarted"
SCHEDULED: Final = "scheduled"
FAILED: Final = "failed"
"""The statuses of the hot path as plain strings, because each look-up of an enumeration's member takes 0.1 µs."""

RESOLVED = frozenset({Status.ABANDONED, Status.FINISHED, Status.SKIPPED, Status.REPLAYED})
"""Statuses that need no further action. A failed instance is unresolved because it must be replayed or skipped."""

DELAYED: Final = "delayed"
EXPIRED: Final = "expired"
CANCELLED: Final = "cancelled"
"""The further statuses of edition 2. In edition 1, they are like any other of the application's own."""
RESOLVED_IN_EDITION_2 = RESOLVED | {EXPIRED, CANCELLED}
WAITING: Final = frozenset({UNSTARTED, DELAYED})
"""Statuses in which an instance of edition 2 is offered events."""
IN_FLIGHT: Final = frozenset({Status.SCHEDULED, Status.RUNNING})
"""Statuses of an instance whose attempt has a command and no result yet."""

CLOSES_ATTEMPT = RESOLVED | {Status.FAILED, Status.UNSTARTED}
"""Statuses that close the current attempt when the application sets them, so that a later result is stale."""
SKIPPABLE: Final = frozenset({Status.FAILED})
REPLAYABLE: Final = SKIPPABLE
REPLAYABLE_IN_EDITION_2: Final = REPLAYABLE | {EXPIRED, CANCELLED}

_ALLOWED_BY_HAND = {
    Status.UNSTARTED: frozenset({Status.FINISHED, Status.FAILED, Status.SKIPPED, Status.ABANDONED}),
    Status.SCHEDULED: frozenset({Status.RUNNING, Status.FINISHED, Status.FAILED, Status.SKIPPED}),
    Status.RUNNING: frozenset({Status.FINISHED, Status.FAILED, Status.SKIPPED}),
    Status.FAILED: frozenset({Status.FINISHED, Status.SKIPPED}),
    Status.FINISHED: frozenset[Status](),
    Status.SKIPPED: frozenset[Status](),
    Status.ABANDONED: frozenset[Status](),
    Status.REPLAYED: frozenset[Status](),
}
"""Old status -> statuses that the application may set without `force`."""


_ENGINE_ONLY = frozenset({Status.UNSTARTED, Status.SCHEDULED, Status.REPLAYED})
"""Statuses that only the engine sets, because they imply a cohort, a command or another instance."""


_ENGINE_ONLY_IN_EDITION_2 = _ENGINE_ONLY | {DELAYED, EXPIRED, CANCELLED}
"""In edition 2, `delayed`, `expired` and `cancelled` imply timers and commands, too. To cancel an instance, an
application fires a trigger of `cancelOn`."""


def is_resolved(status: str, edition: int) -> bool:
    """Returns whether nothing waits for an instance with this status any more."""
    return status in (RESOLVED if edition == 1 else RESOLVED_IN_EDITION_2)


def is_waiting(status: str, edition: int) -> bool:
    """Returns whether an instance with this status waits for triggers or, in edition 2, for a time."""
    return status == UNSTARTED or (status == DELAYED and edition != 1)


def may_be_replayed(status: str, edition: int) -> bool:
    """Returns whether an instance with this status can be replayed."""
    return status in (REPLAYABLE if edition == 1 else REPLAYABLE_IN_EDITION_2)


def may_be_set(old: str, new: str, edition: int = 1) -> bool:
    """Returns whether the application may change the status `old` to `new`.

    A status of the application may follow any unresolved status. Every status may follow it, except those that only the
    engine sets. A resolved instance does not change. In edition 2, `delayed` is a way to wait like `unstarted`, and
    `expired` and `cancelled` are resolved.
    """
    if edition != 1:
        if new in _ENGINE_ONLY_IN_EDITION_2 or old in {EXPIRED, CANCELLED}:
            return False
        old = UNSTARTED if old == DELAYED else old
    if old not in _ALLOWED_BY_HAND:
        return new not in _ENGINE_ONLY
    return new in _ALLOWED_BY_HAND[Status(old)] or (old not in RESOLVED and new not in _ALLOWED_BY_HAND)


def describe_refusal(instance: str, status: str, action: str) -> str:
    """Returns the message of a WrongStatus. `action` is a participle, such as "replayed".

    The manager refuses an action with it before it publishes an event, and the engine when it applies one.
    """
    return f'Instance "{instance} ({status})" in {status} state cannot be {action}!'
