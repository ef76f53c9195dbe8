"""The kwargs that a trigger is fired with, and where the session stores them.

A payload row costs the agent more than two further copies of a few hundred bytes. So if only one instance holds small
kwargs, they are stored in that instance's row, which is written anyway, and the trigger's latest kwargs refer to it.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.state.header import HeldByInstance
from triggers.core.state.instance import SMALL, Payload
from triggers.core.state.session import Session

_HELD_BY_INSTANCE: Final = HeldByInstance  # a final name is not looked up, which would take 130 instructions
_MAX_INLINE_BYTES: Final = 512
"""Maximum size in bytes of kwargs in an instance's row, which is written about three times."""


@mypyc_attr(acyclic=True, free_list_len=1)
class FiredKwargs:
    """The kwargs of a trigger while it fires.

    The first instance that holds them may store them in its row. All others share a payload row.
    """

    __slots__ = ("_holder", "_payloads", "_shared", "kwargs", "trigger")

    def __init__(self, session: Session, trigger: str, kwargs: bytes, stored: Payload | None = None) -> None:
        """`stored` is the payload of an instance that holds the kwargs already, as its result."""
        self.trigger = trigger
        self._payloads = session.payloads
        self.kwargs = kwargs
        self._shared: Payload | None = kwargs if stored is None and len(kwargs) <= SMALL else stored
        self._holder: HeldByInstance | None = None

    def payload_for_instance(self, task: str, number: int) -> Payload:
        """Returns what an instance stores: the kwargs if it is the first to hold them and they are small, or a row."""
        if self._shared is None and self._holder is None and len(self.kwargs) <= _MAX_INLINE_BYTES:
            self._holder = _HELD_BY_INSTANCE(task, number)
            return self.kwargs
        return self.shared_payload()

    def shared_payload(self) -> Payload:
        """Returns the payload that a cohort or several instances share; stores it on the first call."""
        if self._shared is None:
            self._shared = self._payloads.add_kwargs(self.trigger, self.kwargs)
        return self._shared

    def store_latest(self) -> None:
        """Stores the kwargs as the trigger's latest. Called once, after all instances and cohorts have them."""
        payloads = self._payloads
        if self._shared is not None:
            payloads.set_latest(self.trigger, self._shared, held=True)
        elif self._holder is not None:
            payloads.set_latest(self.trigger, self._holder, held=True)
        else:
            payloads.set_latest(self.trigger, payloads.add_kwargs(self.trigger, self.kwargs), held=False)
