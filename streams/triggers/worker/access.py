"""Decides who may read from the worker's HTTP server. Probes and metrics are open; sessions need the token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from aiohttp import web

from triggers.client.read_tokens import is_accepted, read_tokens
from triggers.errors import SettingsError
from triggers.settings import Settings
from triggers.worker.http_responses import http_problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access:
    """Wraps handlers so that they answer only to those who may read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_local = is_loopback(settings.web_host)

    def guard(self, handler: Handler) -> Handler:
        """Returns the handler with a check of the token before it."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            self._check(request)
            return await handler(request)

        return guarded

    def _check(self, request: web.Request) -> None:
        try:
            tokens = read_tokens(self._settings)
        except SettingsError as error:
            raise http_problem(web.HTTPServiceUnavailable, "the worker cannot read its tokens; see its log") from error
        if not tokens and self._is_local:
            return
        if not tokens:
            why = "this worker listens on the network without a token: set TRIGGERS_READ_TOKEN on it and on its readers"
            raise http_problem(web.HTTPForbidden, why)
        if not is_accepted(request.headers.get("Authorization", ""), tokens):
            why = "the request has no valid token: set TRIGGERS_READ_TOKEN as it is set on the worker"
            raise http_problem(web.HTTPUnauthorized, why)


def is_loopback(host: str) -> bool:
    """Returns whether only programs on the same machine reach a server that listens on this address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
