"""The console's web application."""

from __future__ import annotations

import asyncio
import socket
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web

from triggers.console.api import Api
from triggers.console.pages import Pages, environment
from triggers.console.questions import Questions
from triggers.console.responses import guard
from triggers.console.sources import Source

_LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes of a capsule or of rules."""


def application(source: Source, *, is_local: bool = True) -> web.Application:
    """Build the application with pages and API. With `is_local` it rejects Host names of other machines."""
    questions = Questions(source)
    whole_log = asyncio.Lock()
    pages = Pages(questions, whole_log, environment())
    app = web.Application(middlewares=[guard(pages.problem, is_local=is_local)], client_max_size=_LARGEST_UPLOAD)
    app.add_routes(Api(questions, whole_log).routes())
    app.add_routes(pages.routes())
    app.router.add_static("/static", Path(str(files("triggers.console") / "static")))
    return app


def serve(source: Source, listening: socket.socket) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM. Blocks."""
    is_local = ip_address(listening.getsockname()[0]).is_loopback
    web.run_app(application(source, is_local=is_local), sock=listening, print=None, access_log=None)
