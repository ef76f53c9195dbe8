"""What a manager asks of the place where its session lives."""

from __future__ import annotations

from typing import Protocol

from triggers.core.events import Event
from triggers.core.view import SessionView


class Storage(Protocol):
    """One session. Adapters: `MemoryStorage`, `StreamStorage`."""

    @property
    def uid(self) -> str:
        """UID of the session."""

    def write(self, event: Event) -> None:
        """Let the event happen to the session; its position and, if it has none, its time are given here.

        Raises CallError and TooLarge for an event that no worker would accept, TryAgain when it cannot be written now.
        Writing twice happens twice, unless the event has an `id`.
        """

    def read(self, *, wait: bool = True) -> SessionView:
        """The session; with `wait`, including everything that was written through this object.

        Raises SessionNotFound while nothing has happened in it, TryAgain when it cannot be read now.
        """
