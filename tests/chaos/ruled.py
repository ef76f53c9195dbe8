"""An application of sessions with published rules and with rules of edition 2."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.orders import (
    Burst,
    claim_session,
    order_session,
    self_configured_session,
    stray_session,
    visit_session,
)
from tests.chaos.producers import RefusedEvent, Service
from tests.chaos.questionnaire import TASKS, Fields

_OPEN_SESSIONS = 50
_KINDS = ("order", "order", "order", "self", "self", "visit", "visit", "claim", "stray")
PREFIXES = tuple(f"{kind}-" for kind in (*dict.fromkeys(_KINDS), "desk"))
"""Beginnings of the UIDs of sessions that the second model judges, too."""
_OWN: Fields = {"configuration": {"t_own": {"after": ["ordered", "marked"], "run": f"{TASKS}.work"}}}
_OWN_MAYBE = 0.2
_REFUSED = 0.02


class Ruled(Service):
    """Interleaves the events of sessions that get their rules in every way that there is."""

    longest_haste = 3.0

    def events(self) -> Iterator[list[tuple[str, Fields]]]:
        running: dict[str, Iterator[Burst]] = {}
        started = 0
        while True:
            while len(running) < _OPEN_SESSIONS:
                kind = self.chance.choice(_KINDS)
                running[f"{kind}-{started}"] = self._session(kind)
                started += 1
            uid = self.chance.choice(list(running))
            burst = next(running[uid], None)
            if burst is None:
                del running[uid]
                continue
            yield [(uid, event) for event in burst]
            if self.chance.random() < _REFUSED:
                yield [self._refused(uid, started)]

    def _session(self, kind: str) -> Iterator[Burst]:
        match kind:
            case "order":
                return self._order()
            case "self":
                return self_configured_session(self.chance, self.limits)
            case "visit":
                return visit_session(self.chance)
            case "claim":
                return claim_session(self.chance)
            case _:
                return stray_session(self.chance)

    def _order(self) -> Iterator[Burst]:
        """Yields the events of an order. Some also change the rules that they have taken."""
        for number, burst in enumerate(order_session(self.chance)):
            yield burst
            if number == 3 and self.chance.random() < _OWN_MAYBE:
                yield [_OWN]

    def _refused(self, uid: str, number: int) -> tuple[str, Fields]:
        """Returns an event that is refused: the rules of visits are locked, and nobody publishes some others."""
        if uid.startswith("visit-"):
            return uid, RefusedEvent(_OWN)
        return f"nobody-{number}-{self.chance.randrange(1 << 30)}", RefusedEvent(trigger="asked", rules="nobody's")
