"""`Cause`: what led to the present state of an instance."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from triggers.analysis.explain.explanation import EventRef


class By(StrEnum):
    """The source of a cause."""

    APPLICATION = "application"
    RESULT = "result"
    """The result of another instance: a cascade."""
    OPERATOR = "operator"
    PARENT = "parent"
    """The instance of which this one is a replay, a retry or a copy."""
    TIMER = "timer"
    """Edition 2: a timer of the instance that was due."""


class Cause(Struct, frozen=True, kw_only=True):
    """One cause of an instance's present state."""

    by: By
    event: EventRef
    trigger: str | None
    """The trigger that it gave, or None if it set a status or created the instance."""
    instance: str | None
    """The instance that the event is about, if there is one."""
    unless: bool = False
    """True if the trigger counts towards `unless`."""
    outcome: str = ""
    """Edition 2: the status of the instance that fired the trigger, if it is an outcome trigger."""
    stops: str = ""
    """Edition 2: what the event made of the instance if it stopped it: `cancelled` or `expired`."""
