"""`Held` and `Memory`: the contributions that a waiting instance holds, and those that a session remembers."""

from __future__ import annotations

from msgspec import Struct, field

from triggers.core.contribution import Contribution


class Held(Struct, omit_defaults=True, gc=False):
    """The contributions that a waiting instance holds."""

    slots: dict[str, list[Contribution]] = field(default_factory=dict)
    """Slot of a leaf -> its contributions or candidates, in order."""
    true: list[bytes] = field(default_factory=list)
    """Marks of combinators that have become true within their time."""
    loose: dict[str, Contribution] = field(default_factory=dict)
    """Contributions of plain leaves that an update has removed, by slot."""
    begun: int = 0
    """Bits of `after` and `andEvery`, set once they have held a contribution."""

    def of(self, slot: str) -> list[Contribution]:
        """Returns what the leaf of that slot holds. The caller must not change it."""
        return self.slots.get(slot, [])


class Memory(Struct, gc=False):
    """The contributions that a session remembers for the leaves of one task."""

    slots: dict[str, list[Contribution]] = field(default_factory=dict)
    """Slot -> the latest contributions, or candidates."""
