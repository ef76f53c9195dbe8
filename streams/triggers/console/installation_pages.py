"""The pages about all sessions: the overview, the search and the dead letters.

Each of them needs workers or Kafka. For a recorded log, they show what it has and say what they lack.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from starlette.responses import Response

from triggers.client.dead_letters import StoredLetter
from triggers.console.gate import PageRoute
from triggers.console.letter_search import ANY, LETTER_FIELDS, STATES, letter_search_of
from triggers.console.parameters import number_of, refuse_unknown
from triggers.console.questions import Questions
from triggers.console.rendering import Renderer
from triggers.console.search_form import FIELDS, PAGE_PARAMETERS, SearchForm, search_form_of
from triggers.console.visit import Visit
from triggers.errors import CallError, NotFound
from triggers.overview.installation import InstallationReader
from triggers.overview.reader import OverviewReader
from triggers.queries import Page
from triggers.queries.known_statuses import STATUSES, check_status

_FIRST_SESSIONS: Final = 20
_SEARCH_PATIENCE_S: Final = 1.0
"""After this time a page shows how far its search has come. With scripts, the search then goes on."""
_SHORTEST_REFRESH_S: Final = 5
_PARTITION_DIGITS: Final = 9
_OFFSET_DIGITS: Final = 18
_NO_LETTERS: Final = "a recorded log has no dead letters; start the console without --from"


class InstallationPages:
    """Handlers of these pages."""

    def __init__(self, questions: Questions, installation: InstallationReader | None, renderer: Renderer) -> None:
        """`installation` is None for a recorded log."""
        self._ask = questions
        self._installation = installation
        self._overview = None if installation is None else OverviewReader(installation)
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [
            PageRoute("GET", "/", self.overview),
            PageRoute("GET", "/sessions", self.search),
            PageRoute("GET", "/dead-letters", self.dead_letters),
            PageRoute("GET", "/dead-letters/{partition}/{offset}", self.dead_letter),
        ]

    def close(self) -> None:
        """End the threads. Called when the application ends."""
        if self._overview is not None:
            self._overview.close()

    async def overview(self, visit: Visit) -> Response:
        """Show what the installation does now: `?refresh=`, the seconds after which the browser loads it again."""
        if self._overview is None:
            sessions = await asyncio.to_thread(self._ask.summaries, "", _FIRST_SESSIONS)
            return self._renderer.page(visit, "recorded.html", {"sessions": sessions, "limit": _FIRST_SESSIONS})
        refresh = number_of(visit.query, "refresh", None, 3600)
        refresh = None if refresh is None else max(refresh, _SHORTEST_REFRESH_S)
        values = {"overview": await self._overview.read(), "refresh": refresh}
        return self._renderer.page(visit, "overview.html", values)

    async def search(self, visit: Visit) -> Response:
        """Show the sessions that match the form, which is in the parameters: `FIELDS`, `limit` and `cursor`."""
        refuse_unknown(visit.query, *FIELDS, *PAGE_PARAMETERS)
        form = search_form_of(visit.query)
        if self._installation is None:
            return await self._search_recorded(visit, form)
        page = await asyncio.to_thread(_find, self._installation, form)
        return self._renderer.page(visit, "search.html", {"form": form, "page": page, "statuses": STATUSES})

    async def _search_recorded(self, visit: Visit, form: SearchForm) -> Response:
        """Search by the UID alone. Raises CallError for other filters, because only workers have an index."""
        if others := sorted(set(form.entered) & set(FIELDS) - {"prefix"}):
            raise CallError(f"{', '.join(others)}: a recorded log is searched by the beginning of the UID only")
        sessions = await asyncio.to_thread(self._ask.summaries, form.query.prefix, form.limit)
        return self._renderer.page(visit, "recorded_search.html", {"form": form, "sessions": sessions})

    async def dead_letters(self, visit: Visit) -> Response:
        """Show the newest dead letters: `?state=&reason=&detail=&topic=&prefix=&limit=`."""
        refuse_unknown(visit.query, *LETTER_FIELDS, "state", "limit")
        search = letter_search_of(visit.query)
        letters: list[StoredLetter] | None = None
        if self._installation is not None:
            state = None if search.state == ANY else search.state
            letters = await asyncio.to_thread(self._installation.list_letters, search.limit, search.query, state)
        reasons = Counter(each.letter.reason for each in letters or ()).most_common()
        values = {"letters": letters, "search": search, "states": STATES, "reasons": reasons}
        return self._renderer.page(visit, "dead_letters.html", values)

    async def dead_letter(self, visit: Visit) -> Response:
        """Show one dead letter with its record."""
        if self._installation is None:
            raise NotFound(_NO_LETTERS)
        stored = await asyncio.to_thread(self._installation.read_letter, *coordinates_of(visit))
        return self._renderer.page(visit, "dead_letter.html", {"stored": stored})


def _find(installation: InstallationReader, form: SearchForm) -> Page:
    """Search as the form says. Raises CallError for a status that nobody knows."""
    page = installation.find(form.query, form.limit, form.cursor, _SEARCH_PATIENCE_S)
    if page.is_empty:
        check_status(form.query.status, installation.count_statuses)
    return page


def coordinates_of(visit: Visit) -> tuple[int, int]:
    """Return the coordinates of the dead letter in the path. Raises NotFound for other text."""
    partition, offset = visit.name("partition"), visit.name("offset")
    for text, digits in ((partition, _PARTITION_DIGITS), (offset, _OFFSET_DIGITS)):
        if not (text.isascii() and text.isdecimal() and len(text) <= digits):
            raise NotFound(f"there is no dead letter at {partition:.100}/{offset:.100}: both must be numbers")
    return int(partition), int(offset)
