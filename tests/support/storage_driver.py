"""Replays recorded histories through an embedded storage. Each step uses a new storage object, as processes do."""

from __future__ import annotations

from collections.abc import Callable

from triggers.core.decision import Decision
from triggers.core.events import Event, RulesPublished
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.errors import SessionNotFound
from triggers.storages.base import BaseStorageBackend
from triggers.storages.published_rules import MemoryRules


class StorageDriver:
    """A `HistoryDriver` over the storages that `make` returns for a UID."""

    def __init__(self, make: Callable[[str], BaseStorageBackend]) -> None:
        self.registry = MemoryRules()
        """What histories publish. It has an effect while it is in use (`use_rules`)."""
        self._make = make

    def apply(self, uid: str, event: Event) -> Decision:
        storage = self._make(uid)
        storage._now = lambda: 0  # type: ignore[method-assign]  # those of edition 1 have no times
        return storage.write(event)

    def publish(self, rules: RulesPublished) -> None:
        self.registry.publish(rules)

    def view(self, uid: str) -> SessionView:
        try:
            return self._make(uid).read()
        except SessionNotFound:
            return view_session(Session(uid, MemoryRows(), Plans()))
