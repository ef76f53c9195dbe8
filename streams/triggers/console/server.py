"""The console's web application."""

from __future__ import annotations

import asyncio
import socket
from importlib.resources import files
from pathlib import Path

from aiohttp import web

from triggers.console.answers import guard
from triggers.console.api import Api
from triggers.console.pages import Pages, environment
from triggers.console.questions import Questions
from triggers.console.source import Source

_LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes of a capsule or of rules."""


def application(source: Source) -> web.Application:
    """Pages and API over the source."""
    questions = Questions(source)
    whole_log = asyncio.Lock()
    pages = Pages(questions, whole_log, environment())
    app = web.Application(middlewares=[guard(pages.problem)], client_max_size=_LARGEST_UPLOAD)
    app.add_routes(Api(questions, whole_log).routes())
    app.add_routes(pages.routes())
    app.router.add_static("/static", Path(str(files("triggers.console") / "static")))
    return app


def serve(source: Source, listening: socket.socket) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM. Blocks."""
    web.run_app(application(source), sock=listening, print=None, access_log=None)
