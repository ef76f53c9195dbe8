"""Histories of edition 2 through an embedded storage: every step on a new storage object, as processes do."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.state import Json
from typing_extensions import override

from triggers.core.commands import Decision
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.errors import SessionNotFound
from triggers.storages.base import BaseStorageBackend
from triggers.storages.published_rules import MemoryRules


class EmbeddedDriver(EngineDriver):
    """The sessions of the storages that `make` returns."""

    def __init__(self, make: Callable[[str], BaseStorageBackend]) -> None:
        super().__init__()
        self.registry = MemoryRules()
        """What the histories publish; it must be in use."""
        self._make = make

    @override
    def decide(self, uid: str, event: Event) -> Decision:
        return self._make(uid).write(event)

    @override
    def publish(self, version: RulesPublished) -> None:
        self.registry.publish(version)

    @override
    def clock(self) -> int:
        return self._make("main")._thaw().session.header.clock

    @override
    def view(self, uid: str) -> SessionView:
        try:
            return self._make(uid).read()
        except SessionNotFound:
            return view_session(Session(uid, MemoryRows(), Plans()))


def is_embeddable(history: Json) -> bool:
    """Whether an embedded storage can carry out all rules of the history."""
    configurations = [step.get("configuration") or {} for step in history["steps"]]
    return all(_is_carried_out(name, own) for each in configurations for name, own in each.items())


def _is_carried_out(name: str, own: object) -> bool:
    if not isinstance(own, dict):
        return name != "$forward"
    cancel = own.get("cancelOn")
    return "queue" not in own and not (isinstance(cancel, dict) and cancel.get("terminate"))
