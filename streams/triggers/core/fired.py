"""What a trigger is fired with, and where the session keeps it.

A row costs the agent more than two more copies of a few hundred bytes: who alone holds such kwargs has them in its own
row, which is written anyway, and the trigger's latest kwargs are found there.
"""

from __future__ import annotations

from typing import Final

from triggers.core.header import HeldByInstance
from triggers.core.instance import SMALL, Payload
from triggers.core.session import Session

_OWN: Final = 512
"""Bytes of kwargs that an instance may have in its row, which is written some three times."""


class Fired:
    """A trigger's kwargs while it fires. The first new instance may have them itself, all others share a payload."""

    __slots__ = ("_holder", "_session", "_shared", "_text", "trigger")

    def __init__(self, session: Session, trigger: str, kwargs: bytes, held: Payload | None = None) -> None:
        """`held`: an instance has them already, as its result, and this is what it holds."""
        self.trigger = trigger
        self._session = session
        self._text = kwargs
        self._shared: Payload | None = kwargs if held is None and len(kwargs) <= SMALL else held
        self._holder: HeldByInstance | None = None

    def give(self, task: str, number: int) -> Payload:
        """What a new instance is to hold; task and number are its own."""
        if self._shared is None and self._holder is None and len(self._text) <= _OWN:
            self._holder = HeldByInstance(task, number)
            return self._text
        return self.share()

    def share(self) -> Payload:
        """What a cohort, or a second instance, is to hold."""
        if self._shared is None:
            self._shared = self._session.add_kwargs(self.trigger, self._text)
        return self._shared

    def note(self) -> None:
        """They are the trigger's latest ones. Once, after everybody who holds them has them."""
        session = self._session
        if self._shared is not None:
            session.set_latest(self.trigger, self._shared, held=True)
        elif self._holder is not None:
            session.set_latest(self.trigger, self._holder, held=True)
        else:
            session.set_latest(self.trigger, session.add_kwargs(self.trigger, self._text), held=False)
