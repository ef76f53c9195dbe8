"""Finds, in a log of many sessions, the published rules that belong to the log of each session.

Whoever folds one session needs the records of the rules that it is bound to, before the event that binds it. A reader
that has the session's event index has their positions. A reader of a whole partition uses `RulesInLog`.
"""

from __future__ import annotations

from collections.abc import Iterator

from triggers.core.events import Event, RulesPublished
from triggers.core.published_rules import Catalog, catalog_entry


class RulesInLog:
    """The published rules of one partition, while its log is read.

    What it returns is enough for every session and small: the rules that a session begins with, and later versions of
    them that it may adopt. It may return more than the session takes, which changes nothing: for each name that it
    returns, it returns the newest version as well, so that a fold chooses as the partition did.
    """

    def __init__(self) -> None:
        self._events: dict[tuple[str, int], RulesPublished] = {}
        self._catalog = Catalog()
        self._delivered: dict[str, tuple[int, frozenset[tuple[str, int]]]] = {}
        """By session: how many versions were published when it was last looked at, and which ones it got."""

    def publish(self, event: RulesPublished) -> None:
        """Adds rules that the log publishes."""
        newest = self._catalog.newest(event.name)
        if newest is None or newest.version < event.version:
            self._events[event.name, event.version] = event
            self._catalog = Catalog([catalog_entry(each, b"") for each in self._events.values()])

    def before(self, uid: str, event: Event) -> Iterator[RulesPublished]:
        """Yields the rules that a fold of the session must have seen before this event, and has not seen yet."""
        if not self._events:
            return
        seen, delivered = self._delivered.get(uid, (0, frozenset()))
        named = () if event.rules is None else ((event.rules, 0),)
        if seen == len(self._events) and not named:
            return
        wanted = self._wanted(uid, event.rules, {name for name, _ in delivered}) - delivered
        self._delivered[uid] = len(self._events), delivered | wanted
        yield from sorted(
            (self._events[key] for key in wanted), key=lambda each: (each.position, each.name, each.version)
        )

    def _wanted(self, uid: str, named: str | None, names: set[str]) -> frozenset[tuple[str, int]]:
        chosen = self._catalog.rules_for(uid)
        names |= {name for name in (named, chosen.name if chosen else None) if name is not None}
        versions = [(self._catalog.newest(name), self._catalog.to_adopt(name, 0)) for name in sorted(names)]
        return frozenset((rules.name, rules.version) for pair in versions for rules in pair if rules is not None)
