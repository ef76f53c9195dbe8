"""The pages about all sessions: the overview, the search and the dead letters.

Each of them needs workers or Kafka. For a recorded log, they show what it has and say what they lack.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from triggers.client.dead_letters import OPEN, StoredLetter
from triggers.codec.letter_mark_codec import LetterAction
from triggers.console.installation import InstallationReader
from triggers.console.overview import OverviewReader
from triggers.console.parameters import number_of, query_of, text_of
from triggers.console.questions import Questions
from triggers.console.rendering import Renderer
from triggers.console.search_form import FIELDS, SearchForm, search_form_of
from triggers.core.statuses import Status
from triggers.errors import CallError, NotFound

_FIRST_SESSIONS: Final = 20
_LETTERS: Final = 100
_MAX_LETTERS: Final = 1_000
_SEARCH_PATIENCE_S: Final = 2.0
_SHORTEST_REFRESH_S: Final = 5
_ANY: Final = "any"
_LETTER_STATES: Final = (OPEN, *LetterAction, _ANY)
_STATUSES: Final = (*Status, "delayed", "expired", "cancelled")
_NO_LETTERS: Final = "a recorded log has no dead letters; start the console without --from"


class InstallationPages:
    """Handlers of these pages."""

    def __init__(self, questions: Questions, installation: InstallationReader | None, renderer: Renderer) -> None:
        """`installation` is None for a recorded log."""
        self._ask = questions
        self._installation = installation
        self._overview = None if installation is None else OverviewReader(installation)
        self._renderer = renderer

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all handlers."""
        return [
            web.get("/", self.overview),
            web.get("/sessions", self.search),
            web.get("/dead-letters", self.dead_letters),
            web.get(r"/dead-letters/{partition:\d{1,9}}/{offset:\d{1,18}}", self.dead_letter),
        ]

    async def close(self, _: web.Application) -> None:
        """End the threads. Called when the application ends."""
        if self._overview is not None:
            self._overview.close()

    async def overview(self, request: web.Request) -> web.Response:
        """Show what the installation does now: `?refresh=`, the seconds after which the browser loads it again."""
        if self._overview is None:
            sessions = await asyncio.to_thread(self._ask.summaries, "", _FIRST_SESSIONS)
            return self._renderer.page("recorded.html", {"sessions": sessions, "limit": _FIRST_SESSIONS})
        refresh = number_of(query_of(request), "refresh", None, 3600)
        refresh = None if refresh is None else max(refresh, _SHORTEST_REFRESH_S)
        values = {"overview": await self._overview.read(), "refresh": refresh}
        return self._renderer.page("overview.html", values)

    async def search(self, request: web.Request) -> web.Response:
        """Show the sessions that match the form, which is in the parameters: `FIELDS`, `limit` and `cursor`."""
        form = search_form_of(query_of(request))
        if self._installation is None:
            return await self._search_recorded(form)
        patience = _SEARCH_PATIENCE_S
        page = await asyncio.to_thread(self._installation.find, form.query, form.limit, form.cursor, patience)
        return self._renderer.page("search.html", {"form": form, "page": page, "statuses": _STATUSES})

    async def _search_recorded(self, form: SearchForm) -> web.Response:
        """Search by the UID alone. Raises CallError for other filters, because the index is the workers'."""
        if others := sorted(set(form.given) & set(FIELDS) - {"prefix"}):
            raise CallError(f"{', '.join(others)}: a recorded log is searched by the beginning of the UID only")
        sessions = await asyncio.to_thread(self._ask.summaries, form.query.prefix, form.limit)
        return self._renderer.page("recorded_search.html", {"form": form, "sessions": sessions})

    async def dead_letters(self, request: web.Request) -> web.Response:
        """Show the newest dead letters: `?state=&reason=&limit=`."""
        query = query_of(request)
        state, reason = text_of(query, "state") or OPEN, text_of(query, "reason")
        if state not in _LETTER_STATES:
            raise CallError(f"state is {state!r}; it must be one of {', '.join(_LETTER_STATES)}")
        limit = number_of(query, "limit", _LETTERS, _MAX_LETTERS) or _LETTERS
        letters: list[StoredLetter] | None = None
        if self._installation is not None:
            chosen = reason or None, None if state == _ANY else state
            letters = await asyncio.to_thread(self._installation.list_letters, limit, *chosen)
        values = {"letters": letters, "state": state, "reason": reason, "limit": limit, "states": _LETTER_STATES}
        return self._renderer.page("dead_letters.html", values)

    async def dead_letter(self, request: web.Request) -> web.Response:
        """Show one dead letter with its record."""
        if self._installation is None:
            raise NotFound(_NO_LETTERS)
        coordinates = int(request.match_info["partition"]), int(request.match_info["offset"])
        stored = await asyncio.to_thread(self._installation.read_letter, *coordinates)
        return self._renderer.page("dead_letter.html", {"stored": stored})
