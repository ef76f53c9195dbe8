"""Who waits for a task of edition 2, and for what. Rules with keys of edition 1 only have cohorts instead.

Instances that hold the same are one *group*. Where a rule looks at neither clocks nor contents, it is the number of
contributions that must be the same: the group then holds `PRIVATE` for each that its members have in their own rows.
"""

from __future__ import annotations

from msgspec import Struct, field

from triggers.core.conditions.holding import Held
from triggers.core.contribution import PRIVATE, Contribution
from triggers.core.state.number_ranges import contains, insert_number, remove_number


class Group(Struct, array_like=True, gc=False):
    """Waiting instances of one task that the rules cannot tell apart."""

    held: Held
    members: list[int]
    """Their numbers as ranges: start, stop, start, stop, …"""
    delayed: bool = False
    depth: int = 0
    """Cascade depth of what they took last."""


class Waiting(Struct, array_like=True, gc=False):
    """The waiting instances of one task, and those that `cancelOn` may still cancel."""

    groups: list[Group] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    """Numbers of scheduled and running instances as ranges, if the task has `cancelOn`."""

    def group_of(self, number: int) -> Group | None:
        """Returns the group in which an instance waits; None: it waits in none."""
        return next((group for group in self.groups if contains(group.members, number)), None)

    def join(self, number: int, held: Held, *, delayed: bool, depth: int) -> None:
        """Lets an instance wait, beside those that hold the same."""
        for group in self.groups:
            if group.delayed == delayed and group.depth == depth and group.held == held:
                insert_number(group.members, number)
                return
        self.groups.append(Group(held, [number, number + 1], delayed, depth))

    def leave(self, number: int) -> Group | None:
        """Takes an instance out of its group, which is returned."""
        group = self.group_of(number)
        if group is not None:
            remove_number(group.members, number)
            if not group.members:
                self.groups.remove(group)
        return group


def shape_of(held: Held) -> Held:
    """Returns what is the same for all that hold as many contributions."""
    return Held(
        {slot: [PRIVATE] * len(own) for slot, own in held.slots.items()},
        list(held.true),
        dict.fromkeys(held.loose, PRIVATE),
        held.begun,
    )


def private_of(held: Held) -> dict[str, list[Contribution]]:
    """Returns what a member keeps in its own row of what its group has the shape of."""
    return held.slots | {slot: [own] for slot, own in held.loose.items()}


def of_member(held: Held, own: dict[str, list[Contribution]] | None) -> Held:
    """Returns what a member holds of what its group holds; `own`: what it holds alone."""
    if own is None:
        return held
    return Held(
        {slot: _filled(shared, own.get(slot, [])) for slot, shared in held.slots.items()},
        held.true,
        {slot: own[slot][-1] if shared.order < 0 and slot in own else shared for slot, shared in held.loose.items()},
        held.begun,
    )


def _filled(shared: list[Contribution], own: list[Contribution]) -> list[Contribution]:
    private = sum(contribution.order < 0 for contribution in shared)
    return [*own[len(own) - private :], *shared[private:]]
