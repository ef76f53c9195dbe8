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
from triggers.errors import CallError
from triggers.queries import SessionQuery

MAX_FOUND: Final = 1_000
_FOUND: Final = 50
_TEXTS: Final = ("status", "task", "exception", "message", "seen", "missing")
FIELDS: Final = ("prefix", *_TEXTS, "rules", "stuck", "older_than", "unchanged_for")
"""The filters of the form. Each is also a parameter of the page."""


class SearchForm(NamedTuple):
    """What somebody searches for."""

    entered: Mapping[str, str]
    """The filters that are set, as they were entered."""
    query: SessionQuery
    limit: int
    cursor: str | None
    asked_at: int
    """The time from which durations count back. Further pages keep it, because their cursors belong to one query."""

    def next_url(self, cursor: str) -> str:
        """Return the address of the page that begins at the cursor."""
        return self._url({"limit": str(self.limit), "asked_at": str(self.asked_at), "cursor": cursor})

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
    name, version = _rules_of(entered.get("rules"))
    fields = {
        "prefix": entered.get("prefix", ""),
        **{text: entered.get(text) for text in _TEXTS},
        "rules": name,
        "version": version,
        "stuck_ms": parsed(given, "stuck", duration_ms, None),
        "created_until": _before(given, "older_than", now),
        "changed_until": _before(given, "unchanged_for", now),
    }
    query = msgspec.convert(fields, SessionQuery)
    query.check()
    limit = number_of(given, "limit", _FOUND, MAX_FOUND) or _FOUND
    return SearchForm(entered, query, limit, text_of(given, "cursor") or None, now)


def _before(given: ParameterValues, name: str, now: int) -> int | None:
    length = parsed(given, name, duration_ms, None)
    return None if length is None else max(0, now - length)


def _rules_of(text: str | None) -> tuple[str | None, int | None]:
    """Return name and version of `NAME@VERSION`. Raises CallError."""
    name, at, version = (text or "").rpartition("@")
    if not at:
        return text, None
    if not version.isascii() or not version.isdecimal():
        raise CallError(f"rules is {text!r}; the version must be a number, as in orders@3")
    return name, int(version)
