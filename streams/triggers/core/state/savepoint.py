"""`Savepoint`: what a session needs to undo changes."""

from __future__ import annotations

from typing import NamedTuple

from triggers.core.plan import Plan
from triggers.core.state.loaded_instance import StatusMove
from triggers.core.state.rows import Changes


class Savepoint(NamedTuple):
    """The state to which `Session.roll_back` returns."""

    header: bytes
    exists: bool
    header_changed: bool
    plan: Plan
    rows: Changes
    shared: Changes
    moves: list[StatusMove]
