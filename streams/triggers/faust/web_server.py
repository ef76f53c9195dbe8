"""Faust's web server with our views and none of Faust's: those serve tables unauthenticated."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from aiohttp.web_runner import BaseSite, SockSite
from faust.types import AppT
from faust.web.drivers.aiohttp import Web

from triggers.process.exits import ExitCode, Stop


class QueryServer(Web):
    """Serves the routes on a socket that is bound already: its port is known before the worker joins the group."""

    def __init__(self, app: AppT, listening: socket.socket, routes: Iterable[web.AbstractRouteDef]) -> None:
        super().__init__(app)
        self._listening = listening
        self.web_app.add_routes(routes)

    def _enabled_blueprints(self) -> list[Any]:
        return []

    def _create_site(self) -> BaseSite:
        return SockSite(self._runner, self._listening)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: a free one. Raises Stop when the port is taken."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise Stop(ExitCode.PORT_TAKEN, f"{host}:{port}: {error.strerror}") from error


def url_of(listening: socket.socket, host: str, advertised: str, slot: int) -> str:
    """The URL others reach this worker under; an advertised one with a port is the first slot's."""
    port = listening.getsockname()[1]
    if advertised:
        return _for_slot(advertised.rstrip("/"), slot)
    reachable = socket.gethostname() if host in {"", "0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
    return f"http://{reachable}:{port}"


def _for_slot(url: str, slot: int) -> str:
    head, _, port = url.rpartition(":")
    return f"{head}:{int(port) + slot}" if port.isdigit() else url
