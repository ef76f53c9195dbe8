"""An instance in memory, as the parts of a decision pass it on, and the change of its status."""

from __future__ import annotations

from typing import final

from mypy_extensions import mypyc_attr

from triggers.core.conditions.held import Held
from triggers.core.state.instance import Instance


@mypyc_attr(acyclic=True)
@final
class LoadedInstance:
    """An instance with its task, number, name and row.

    A session has at most one such object of an instance until its changes are written, so all that hold it see the same
    row. It is a class rather than a tuple or a struct, because compiled code reads the attributes of a class fastest.
    """

    __slots__ = ("changed", "held", "instance", "name", "number", "stored_status", "task")

    def __init__(self, task: str, number: int, name: str, instance: Instance, stored_status: str = "") -> None:
        self.task = task
        self.number = number
        self.name = name
        """`<task>#<number>`"""
        self.instance = instance
        """The row, which may be changed in place after `Instances.mark_changed`."""
        self.changed = False
        """True if the row will be written."""
        self.stored_status = stored_status
        """The status in its row, or empty if it has no row yet."""
        self.held: Held | None = None
        """The contributions of a new instance of edition 2 whose delay is about to begin, as it is in no group yet."""


@mypyc_attr(acyclic=True)
@final
class StatusMove:
    """Says that the row of an instance has another status than before. Counts and indexes follow from it."""

    __slots__ = ("after", "before", "instance", "number", "task")

    def __init__(self, task: str, number: int, before: str, after: str, instance: Instance) -> None:
        self.task = task
        self.number = number
        self.before = before
        """Empty if the instance had no row."""
        self.after = after
        """Empty if its row is deleted."""
        self.instance = instance
