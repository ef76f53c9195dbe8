"""The kwargs that a trigger is fired with, and where the session stores them.

A payload row costs the agent more than two further copies of a few hundred bytes. So if only one instance holds small
kwargs, they are stored in that instance's row, which is written anyway, and the trigger's latest kwargs refer to it.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.state.instance import SMALL, Payload
from triggers.core.state.latest import HELD, encode_record, make_stamp, order_in_edition_1
from triggers.core.state.session import Session

_MAX_INLINE_BYTES: Final = 512
"""Maximum size in bytes of kwargs in an instance's row, which is written about three times."""


@mypyc_attr(acyclic=True, free_list_len=1)
class FiredKwargs:
    """The kwargs of a trigger while it fires.

    The first instance that holds them may store them in its row. All others share a payload row.
    """

    __slots__ = ("_holder", "_number", "_payloads", "_shared", "kwargs", "stamp", "trigger")

    def __init__(
        self,
        session: Session,
        trigger: str,
        kwargs: bytes,
        stored: Payload | None = None,
        *,
        event_id: str | None = None,
        source: str | None = None,
    ) -> None:
        """`stored` is the payload of an instance that holds the kwargs already, as its result.

        The id and the source are those of the event, if it fires the trigger itself.
        """
        self.trigger = trigger
        self._payloads = session.payloads
        self.kwargs = kwargs
        self.stamp = make_stamp(session.clock, order_in_edition_1(session.position), session.time, event_id, source)
        self._shared: Payload | None = kwargs if stored is None and len(kwargs) <= SMALL else stored
        self._holder: str | None = None
        """The task of the instance that holds the kwargs in its row, whose number is the next attribute."""
        self._number = 0

    def payload_for_instance(self, task: str, number: int) -> Payload:
        """Returns what an instance stores: the kwargs if it is the first to hold them and they are small, or a row."""
        if self._shared is None and self._holder is None and len(self.kwargs) <= _MAX_INLINE_BYTES:
            self._holder, self._number = task, number
            return self.kwargs
        return self.shared_payload()

    def shared_payload(self) -> Payload:
        """Returns the payload that a cohort or several instances share; stores it on the first call."""
        if self._shared is None:
            self._shared = self._payloads.add_kwargs(self.trigger, self.kwargs)
        return self._shared

    def store_latest(self) -> None:
        """Stores the kwargs as the trigger's latest, with the stamp of their fire (`core.state.latest`).

        Called once, after all instances and cohorts have them.
        """
        payloads, trigger = self._payloads, self.trigger
        if self._holder is not None and self._shared is None:
            payloads.replace_latest(trigger, encode_record((HELD, self._holder, self._number, self.stamp)))
        elif self._shared is None:
            payloads.set_latest(trigger, self.stamp, payloads.add_kwargs(trigger, self.kwargs), held=False)
        else:
            payloads.set_latest(trigger, self.stamp, self._shared, held=True)
