"""Relays reads of sessions to the workers that own them, so that any worker answers."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from triggers.client.owners import Owners
from triggers.client.worker_requests import RELAYED, WorkerRequests
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.worker.http_responses import http_problem

MAX_WAIT_S: Final = 60.0
"""Maximum time for which a reader may let the owner wait for an offset."""


class ReadRelay:
    """Asks owners of partitions. A request is relayed once, and only to addresses of members of the workers' group."""

    def __init__(self, settings: Settings) -> None:
        self._owners = Owners(settings)
        self._requests = WorkerRequests(settings)
        self._timeout_s = settings.read_timeout_s

    async def ask_owner(self, request: web.Request, partition: int) -> web.Response:
        """Returns the response of the partition's owner. Raises a 421 for a request that was relayed before."""
        if RELAYED in request.headers:
            raise http_problem(web.HTTPMisdirectedRequest, f"another worker owns partition {partition}")
        wait_s = MAX_WAIT_S if "after" in request.query else 0.0
        return await asyncio.to_thread(self._ask, partition, request.raw_path, self._timeout_s + wait_s)

    def _ask(self, partition: int, path: str, timeout_s: float) -> web.Response:
        try:
            url = self._owners.url_of_owner(partition)
            answer = self._requests.get(url, path, timeout_s, {RELAYED: "1"})
        except TryAgain as error:
            self._owners.forget_owners()
            raise http_problem(web.HTTPServiceUnavailable, str(error)) from error
        if answer.status == web.HTTPMisdirectedRequest.status_code:
            self._owners.forget_owners()
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")
