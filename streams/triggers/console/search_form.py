"""The form with which sessions are searched: the filters of `triggers list`, as parameters of a URL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from triggers.analysis.times import duration_ms
from triggers.console.forms import ParameterValues
from triggers.console.parameters import number_of, parsed, text_of
from triggers.queries import SessionQuery
from triggers.queries.filter_values import parse_rules, time_before

MAX_FOUND: Final = 1_000
_FOUND: Final = 50
_TEXTS: Final = ("status", "task", "exception", "message", "seen", "missing")
FIELDS: Final = ("prefix", *_TEXTS, "rules", "stuck", "older_than", "unchanged_for")
"""The filters of the form. Each is also a parameter of the page."""
PAGE_PARAMETERS: Final = ("limit", "cursor", "asked_at", "examined")
"""The other parameters of the page."""


class SearchForm(NamedTuple):
    """A search for sessions, as somebody has entered it."""

    entered: Mapping[str, str]
    """The filters that are set, as they were entered."""
    query: SessionQuery
    limit: int
    cursor: str | None
    asked_at: int
    """The time from which durations count back. Further pages keep it, because their cursors belong to one query."""
    examined: int = 0
    """Number of rows that were examined before the cursor, if nothing there has matched."""

    def next_url(self, cursor: str) -> str:
        """Return the address of the page that begins at the cursor."""
        return self._url({"limit": str(self.limit), "asked_at": str(self.asked_at), "cursor": cursor})

    def further_url(self, cursor: str, examined: int) -> str:
        """Return the address at which the search goes on after rows of which none has matched."""
        return f"{self.next_url(cursor)}&examined={examined}"

    def first_url(self) -> str:
        """Return the address of the first page."""
        return self._url({"limit": str(self.limit)})

    def _url(self, others: Mapping[str, str]) -> str:
        return search_url(**self.entered, **others)


def search_url(**filters: str) -> str:
    """Return the address of a search."""
    return f"/sessions?{urlencode(filters)}" if filters else "/sessions"


def search_form_of(given: ParameterValues) -> SearchForm:
    """Return the search that the parameters of a page describe. Empty ones count as absent. Raises CallError."""
    entered = {name: text for name in FIELDS if (text := text_of(given, name))}
    now = parsed(given, "asked_at", int, time.time_ns() // 1_000_000)
    rules = entered.get("rules")
    name, version = (None, None) if rules is None else parse_rules(rules)
    fields = {
        "prefix": entered.get("prefix", ""),
        **{text: entered.get(text) for text in _TEXTS},
        "rules": name,
        "version": version,
        "stuck_ms": parsed(given, "stuck", duration_ms, None),
        "created_until": time_before(now, parsed(given, "older_than", duration_ms, None)),
        "changed_until": time_before(now, parsed(given, "unchanged_for", duration_ms, None)),
    }
    query = msgspec.convert(fields, SessionQuery)
    query.check()
    limit = number_of(given, "limit", _FOUND, MAX_FOUND) or _FOUND
    examined = max(0, parsed(given, "examined", int, 0))
    return SearchForm(entered, query, limit, text_of(given, "cursor") or None, now, examined)
