"""Splits what an instance of a blind rule holds into the part that its group stores and its own, and joins them."""

from __future__ import annotations

from triggers.core.conditions.held import Held
from triggers.core.contribution import PRIVATE, Contribution


def shared_part(held: Held) -> Held:
    """Returns what the group of a blind rule stores: a placeholder for each contribution."""
    return Held(
        {slot: [PRIVATE] * len(contributions) for slot, contributions in held.slots.items()},
        list(held.true),
        dict.fromkeys(held.loose, PRIVATE),
        held.begun,
    )


def private_part(held: Held) -> dict[str, list[Contribution]]:
    """Returns the contributions for which the group has placeholders; the member stores them in its row."""
    return held.slots | {slot: [contribution] for slot, contribution in held.loose.items()}


def join_parts(shared: Held, private: dict[str, list[Contribution]] | None) -> Held:
    """Returns what a member holds: the group's contributions, with its own instead of the placeholders."""
    if private is None:
        return shared
    return Held(
        {slot: _without_placeholders(group, private.get(slot, [])) for slot, group in shared.slots.items()},
        shared.true,
        {slot: private[slot][-1] if one.order < 0 and slot in private else one for slot, one in shared.loose.items()},
        shared.begun,
    )


def _without_placeholders(shared: list[Contribution], private: list[Contribution]) -> list[Contribution]:
    """Replaces the placeholders, which come first. The member may hold more than the group has placeholders for."""
    placeholders = sum(contribution.order < 0 for contribution in shared)
    return [*private[len(private) - placeholders :], *shared[placeholders:]]
