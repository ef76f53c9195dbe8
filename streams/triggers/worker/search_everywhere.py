"""Answers questions about the sessions of all partitions on any worker, by asking all workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from triggers.client.session_search import SessionSearch
from triggers.errors import CallError, TryAgain
from triggers.queries.session_query import SessionQuery
from triggers.settings import Settings
from triggers.worker.http_responses import http_problem, json_response, number_of

_PAGE: Final = 50


class SearchEverywhere:
    """The HTTP views. A request never comes back, because each worker is asked for its own partitions only."""

    def __init__(self, settings: Settings) -> None:
        self._search = SessionSearch(settings)

    async def find(self, request: web.Request) -> web.Response:
        """Responds with a `Page`. `?query=<SessionQuery>&limit=&cursor=`."""
        limit, cursor = int(number_of(request, "limit", _PAGE)), request.query.get("cursor")
        text = request.query.get("query", "{}")
        return await _answer(lambda: self._search.find(SessionQuery.from_json(text), limit=limit, cursor=cursor))

    async def count(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        """Responds with the `StatusCounts`."""
        return await _answer(self._search.count_statuses)

    async def group(self, request: web.Request) -> web.Response:
        """Responds with the `FailureGroups`. `?task=` restricts them."""
        return await _answer(lambda: self._search.group_failures(request.query.get("task")))


async def _answer(ask: Callable[[], object]) -> web.Response:
    try:
        return json_response(await asyncio.to_thread(ask))
    except CallError as error:
        raise http_problem(web.HTTPBadRequest, str(error)) from error
    except TryAgain as error:
        raise http_problem(web.HTTPServiceUnavailable, str(error)) from error
