"""The form with which dead letters are searched: the filter of `triggers dead-letters`, as parameters of a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from triggers.client.dead_letters import OPEN
from triggers.client.letter_query import LetterQuery
from triggers.codec.letter_mark_codec import LetterAction
from triggers.console.forms import ParameterValues
from triggers.console.parameters import number_of, text_of
from triggers.errors import CallError

ANY: Final = "any"
STATES: Final = (OPEN, *LetterAction, ANY)
LETTER_FIELDS: Final = ("reason", "detail", "topic", "prefix")
_SHOWN: Final = 100
_MAX_SHOWN: Final = 1_000


class LetterSearch(NamedTuple):
    """Which dead letters somebody searches for."""

    entered: Mapping[str, str]
    """The filters that are set, as they were entered."""
    query: LetterQuery
    state: str
    limit: int

    def url(self) -> str:
        """Return the address of the page that shows these letters."""
        state = {} if self.state == OPEN else {"state": self.state}
        return f"/dead-letters?{urlencode({**self.entered, **state})}" if self.entered or state else "/dead-letters"

    def url_with(self, reason: str) -> str:
        """Return the address of the page that shows those of a reason."""
        return self._replace(entered={**self.entered, "reason": reason}).url()

    def job_url(self, action: str) -> str:
        """Return the address of the preview of a job for all of these letters that are open."""
        return f"/jobs/new?{urlencode({'action': action, **self.entered})}"


def letter_search_of(given: ParameterValues) -> LetterSearch:
    """Return the search that the parameters of a page describe. Empty ones count as absent. Raises CallError."""
    entered = {name: text for name in LETTER_FIELDS if (text := text_of(given, name))}
    state = text_of(given, "state") or OPEN
    if state not in STATES:
        raise CallError(f"state is {state!r}; it must be one of {', '.join(STATES)}")
    query = LetterQuery(
        reason=entered.get("reason"),
        detail=entered.get("detail"),
        topic=entered.get("topic"),
        prefix=entered.get("prefix", ""),
    )
    query.check()
    return LetterSearch(entered, query, state, number_of(given, "limit", _SHOWN, _MAX_SHOWN) or _SHOWN)
