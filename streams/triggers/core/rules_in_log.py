"""Finds, in a log of many sessions, the published rules that belong to the log of each session.

Whoever folds one session needs the records of the rules that it is bound to, before the event that binds it. A reader
that has the session's event index has their positions. A reader of a whole partition uses `RulesInLog`.
"""

from __future__ import annotations

from collections.abc import Iterator

from triggers.core.events import AdoptionRequested, Event, RulesPublished
from triggers.core.published_rules import Catalog, PublishedRules, catalog_entry


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
        adopted = (event.name, event.version) if isinstance(event, AdoptionRequested) else None
        if seen == len(self._events) and event.rules is None and adopted is None:
            return
        wanted = self._wanted(uid, event.rules, adopted, {name for name, _ in delivered}) - delivered
        self._delivered[uid] = len(self._events), delivered | wanted
        yield from sorted(
            (self._events[key] for key in wanted), key=lambda each: (each.position, each.name, each.version)
        )

    def _wanted(
        self, uid: str, named: str | None, adopted: tuple[str, int] | None, names: set[str]
    ) -> frozenset[tuple[str, int]]:
        chosen = self._catalog.rules_for(uid)
        others = (named, None if chosen is None else chosen.name, None if adopted is None else adopted[0])
        names |= {name for name in others if name is not None}
        versions = [rules for name in sorted(names) for rules in self._newest_of(name)]
        wanted = {(rules.name, rules.version) for rules in versions if rules is not None}
        if adopted is not None:  # the session indexes these as well
            later = (rules for rules in self._catalog.versions(adopted[0]) if rules.version >= adopted[1])
            wanted |= {(rules.name, rules.version) for rules in later}
        return frozenset(wanted)

    def _newest_of(self, name: str) -> tuple[PublishedRules | None, PublishedRules | None]:
        """Returns the newest version of the rules, and the newest one that existing sessions adopt."""
        return self._catalog.newest(name), self._catalog.to_adopt(name, 0)
