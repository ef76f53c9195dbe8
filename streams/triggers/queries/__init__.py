"""Questions about many sessions: which of them match, what failed and why, how many instances have which status."""

from triggers.queries.answers import (
    FailedInstance,
    FailureGroup,
    FailureGroups,
    FoundSession,
    MissingPartition,
    Page,
    RestoringPartition,
    StatusCount,
    StatusCounts,
    WorkerState,
)
from triggers.queries.session_query import SessionQuery

__all__ = [
    "FailedInstance",
    "FailureGroup",
    "FailureGroups",
    "FoundSession",
    "MissingPartition",
    "Page",
    "RestoringPartition",
    "SessionQuery",
    "StatusCount",
    "StatusCounts",
    "WorkerState",
]
