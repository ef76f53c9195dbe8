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
from triggers.console.pages import Pages, environment
from triggers.console.questions import Questions
from triggers.console.responses import guard
from triggers.console.sources import Source
from triggers.settings import Settings
from triggers.telemetry.catalogue import Process
from triggers.telemetry.exposition import new_registry, serve_metrics
from triggers.telemetry.http_metrics import HttpMetrics

_LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes of a capsule or of rules."""


def application(source: Source, *, is_local: bool = True, metrics: HttpMetrics | None = None) -> web.Application:
    """Build the application with pages and API. With `is_local` it rejects Host names of other machines."""
    questions = Questions(source)
    whole_log = asyncio.Lock()
    pages = Pages(questions, whole_log, environment())
    middlewares = [guard(pages.problem, is_local=is_local)]
    if metrics is not None:
        middlewares.insert(0, _counting(metrics))
    app = web.Application(middlewares=middlewares, client_max_size=_LARGEST_UPLOAD)
    app.add_routes(Api(questions, whole_log).routes())
    app.add_routes(pages.routes())
    app.router.add_static("/static", Path(str(files("triggers.console") / "static")))
    return app


def serve(source: Source, listening: socket.socket, settings: Settings) -> None:
    """Serve on a bound socket, and metrics if the settings name a port, until SIGINT or SIGTERM. Blocks.

    Raises SettingsError if the port of the metrics is in use.
    """
    is_local = ip_address(listening.getsockname()[0]).is_loopback
    app = application(source, is_local=is_local, metrics=_served_metrics(settings))
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
