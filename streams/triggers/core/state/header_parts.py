"""The parts of a header, which are stored as they are."""

from __future__ import annotations

from msgspec import Struct

from triggers.core.state.instance import Payload


class Cohort(Struct, array_like=True, gc=False):
    """Unstarted instances of one task that hold the same triggers, so that the rules treat them alike."""

    have: list[str]
    """Triggers whose kwargs the members hold, sorted."""
    seen: list[str]
    """Triggers of `unless` that have fired for the members (their abandon state), sorted."""
    fills: dict[str, Payload]
    """Kwargs (trigger -> payload) that all members received in this cohort and that are not in their rows yet."""
    members: list[int]
    """The members' numbers as half-open ranges: start, stop, start, stop, …"""
    fired: dict[str, list[int]] | None = None
    """Clock and order of the fires that the members received in this cohort (`core.state.held_fires`)."""


class TaskState(Struct, array_like=True, gc=False):
    """The counts and cohorts of one task in a session."""

    count: int = 0
    """Number of instances that were ever created, which is the number of the next one."""
    unresolved: int = 0
    cohorts: list[Cohort] = []


class LastFire(Struct, array_like=True, gc=False):
    """When a trigger was last fired, and by which event, as headers before version 5 store it beside its kwargs."""

    clock: int
    order: int
    time: int = 0
    id: str | None = None
    source: str | None = None


class Edition2Part(Struct, array_like=True, gc=False):
    """The part of a header that edition 2 needs. Sessions that may still get rules of edition 2 have it, too."""

    fires: int = 0
    """Order of the last fire. Contributions are ordered by it."""
    last_fires: dict[str, LastFire] = {}
    """What headers before version 5 store of last fires, as the rows do if `last_fires_spilled`. Both are empty now."""
    last_fires_spilled: bool = False
    finalized: bool = False
    """True if `$session.finalize` has been fired."""


class RuleBinding(Struct, array_like=True, gc=False):
    """Says which version of published rules a session is bound to."""

    name: str
    version: int
    replaced: list[str] = []
    """Tasks of that version that the session's own updates have replaced since."""
