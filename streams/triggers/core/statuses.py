"""Statuses of an instance and which of them may follow which.

unstarted ─▶ scheduled ─▶ running ─▶ finished | failed | skipped | any status of the application's own
    │                                            │
    └─▶ abandoned                                └─▶ replayed | skipped
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The framework's statuses; an application may set others."""

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
"""The ones of the hot path: plain texts, since a member of an enumeration takes 0.1 µs to look up."""

RESOLVED = frozenset({Status.ABANDONED, Status.FINISHED, Status.SKIPPED, Status.REPLAYED})
"""Nothing is waiting for these any more. A failed instance is unresolved: somebody must replay or skip it."""

SETTLED = RESOLVED | {Status.FAILED, Status.UNSTARTED}
"""Set by hand, these end the current attempt: a result that comes later is stale."""

_BY_HAND = {
    Status.UNSTARTED: frozenset({Status.FINISHED, Status.FAILED, Status.SKIPPED, Status.ABANDONED}),
    Status.SCHEDULED: frozenset({Status.RUNNING, Status.FINISHED, Status.FAILED, Status.SKIPPED}),
    Status.RUNNING: frozenset({Status.FINISHED, Status.FAILED, Status.SKIPPED}),
    Status.FAILED: frozenset({Status.FINISHED, Status.SKIPPED}),
    Status.FINISHED: frozenset[Status](),
    Status.SKIPPED: frozenset[Status](),
    Status.ABANDONED: frozenset[Status](),
    Status.REPLAYED: frozenset[Status](),
}
"""What the application may set without `force`."""


_ENGINE_ONLY = frozenset({Status.UNSTARTED, Status.SCHEDULED, Status.REPLAYED})
"""These come with more than a word: a cohort, a command, another instance."""


def may_be_set(old: str, new: str) -> bool:
    """Whether the application may set `new` on an instance that is `old`.

    A status of the application's own may become anything that needs no engine; a resolved instance stays what it is.
    """
    if old not in _BY_HAND:
        return new not in _ENGINE_ONLY
    return new in _BY_HAND[Status(old)] or (old not in RESOLVED and new not in _BY_HAND)
