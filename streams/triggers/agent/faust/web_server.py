"""Faust's web server with the worker's views. Faust's own views are off, because they expose the tables."""

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
    """Serves routes on a socket that is already bound, so the port is known before the worker joins the group."""

    def __init__(self, app: AppT, listening: socket.socket, routes: Iterable[web.AbstractRouteDef]) -> None:
        super().__init__(app)
        self._listening = listening
        self.web_app.add_routes(routes)

    def _enabled_blueprints(self) -> list[Any]:
        return []

    def _create_site(self) -> BaseSite:
        return SockSite(self._runner, self._listening)


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket. Port 0 chooses a free port. Raises Stop if the port is in use."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise Stop(ExitCode.PORT_TAKEN, f"{host}:{port}: {error.strerror}") from error


def url_of(listening: socket.socket, host: str, advertised: str, slot: int) -> str:
    """Returns the URL under which others reach this worker.

    The port of an advertised URL is the first slot's; the following slots use the following ports.
    """
    port = listening.getsockname()[1]
    if advertised:
        return _for_slot(advertised.rstrip("/"), slot)
    reachable = socket.gethostname() if host in {"", "0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
    return f"http://{reachable}:{port}"


def _for_slot(url: str, slot: int) -> str:
    head, _, port = url.rpartition(":")
    return f"{head}:{int(port) + slot}" if port.isdigit() else url
