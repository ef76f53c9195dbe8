"""The waiting instances of a task of edition 2, in groups. (Sessions of edition 1 have cohorts instead.)

The members of a *group* hold the same contributions, which are stored once, in the group. If the rule is blind, so that
only the number of contributions matters, the members need only hold equally many. The group then has the placeholder
`PRIVATE` for each contribution that differs, and every member has its own in its row.
"""

from __future__ import annotations

from msgspec import Struct, field

from triggers.core.conditions.held import Held
from triggers.core.state.number_ranges import contains, insert_number, remove_number


class Group(Struct, array_like=True, gc=False):
    """Waiting instances of one task that the rules cannot tell apart."""

    held: Held
    members: list[int]
    """The members' numbers as half-open ranges: start, stop, start, stop, …"""
    delayed: bool = False
    depth: int = 0
    """Cascade depth of the last contribution that they took."""


class Waiting(Struct, array_like=True, gc=False):
    """The waiting instances of one task, and those that `cancelOn` may still cancel."""

    groups: list[Group] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    """Numbers of scheduled and running instances as ranges, if the task has `cancelOn`."""

    def group_of(self, number: int) -> Group | None:
        """Returns the group in which an instance waits, or None if it waits in none."""
        for group in self.groups:
            if contains(group.members, number):
                return group
        return None

    def add_member(self, number: int, held: Held, *, delayed: bool, depth: int) -> None:
        """Adds an instance to the group that holds the same. Creates the group if there is none."""
        for group in self.groups:
            if group.delayed == delayed and group.depth == depth and group.held == held:
                insert_number(group.members, number)
                return
        self.groups.append(Group(held, [number, number + 1], delayed, depth))

    def remove_member(self, number: int) -> Group | None:
        """Removes an instance from its group. Returns the group, or None if it waits in none."""
        group = self.group_of(number)
        if group is not None:
            remove_number(group.members, number)
            if not group.members:
                self.groups.remove(group)
        return group
