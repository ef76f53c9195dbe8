"""The console's web application."""

from __future__ import annotations

import asyncio
import socket
import time
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from triggers.console.api import Api
from triggers.console.installation import InstallationReader
from triggers.console.installation_pages import InstallationPages
from triggers.console.pages import Pages
from triggers.console.questions import Questions
from triggers.console.rendering import Renderer
from triggers.console.responses import guard
from triggers.console.sources import Source
from triggers.settings import Settings
from triggers.telemetry.catalogue import Process
from triggers.telemetry.exposition import new_registry, serve_metrics
from triggers.telemetry.http_metrics import HttpMetrics

_LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes of a capsule or of rules."""


def application(
    source: Source,
    installation: InstallationReader | None = None,
    *,
    is_local: bool = True,
    metrics: HttpMetrics | None = None,
) -> web.Application:
    """Build the application with pages and API. With `is_local` it rejects Host names of other machines.

    Without an installation, as for a recorded log, the pages that need workers say so.
    """
    questions = Questions(source)
    whole_log = asyncio.Lock()
    renderer = Renderer(is_recorded=installation is None)
    about_all = InstallationPages(questions, installation, renderer)
    middlewares = [guard(renderer.problem, is_local=is_local)]
    if metrics is not None:
        middlewares.insert(0, _counting(metrics))
    app = web.Application(middlewares=middlewares, client_max_size=_LARGEST_UPLOAD)
    app.add_routes(Api(questions, whole_log).routes())
    app.add_routes(about_all.routes())
    app.add_routes(Pages(questions, whole_log, renderer).routes())
    app.router.add_static("/static", Path(str(files("triggers.console") / "static")))
    app.router.add_get("/favicon.ico", _favicon)
    app.on_cleanup.append(about_all.close)
    return app


async def _favicon(_: web.Request) -> web.Response:
    """Lead browsers that ask for the old name to the icon."""
    raise web.HTTPPermanentRedirect("/static/icon.svg")


def serve(
    source: Source, listening: socket.socket, settings: Settings, installation: InstallationReader | None = None
) -> None:
    """Serve on a bound socket, and metrics if the settings name a port, until SIGINT or SIGTERM. Blocks.

    Raises SettingsError if the port of the metrics is in use.
    """
    is_local = ip_address(listening.getsockname()[0]).is_loopback
    app = application(source, installation, is_local=is_local, metrics=_served_metrics(settings))
    web.run_app(app, sock=listening, print=None, access_log=None)


def _served_metrics(settings: Settings) -> HttpMetrics | None:
    if not settings.metrics_port:
        return None
    registry = new_registry(Process.CONSOLE)
    metrics = HttpMetrics(registry)
    serve_metrics(settings, registry)
    return metrics


def _counting(metrics: HttpMetrics) -> Middleware:
    """Returns the middleware that counts requests by their routes, which name no session."""

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        response = await handler(request)
        resource = request.match_info.route.resource
        operation = "none" if resource is None else resource.canonical
        metrics.record_request(operation, response.status, time.perf_counter() - started)
        return response

    return counted
