"""The console's web application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from triggers.api.front import Front
from triggers.api.server import run
from triggers.api.services import Services
from triggers.console.access import Access
from triggers.console.api import Api
from triggers.console.gate import Gate, PageRoute
from triggers.console.installation_pages import InstallationPages
from triggers.console.job_pages import JobActions, JobPages
from triggers.console.letter_actions import LetterActions
from triggers.console.login_pages import LoginPages
from triggers.console.pages import Pages
from triggers.console.published_pages import PublishedPages
from triggers.console.questions import Questions
from triggers.console.rendering import Renderer
from triggers.console.session_actions import SessionActions
from triggers.console.sources import Source
from triggers.console.visit import Visit
from triggers.jobs.job_log import JobLog
from triggers.overview.installation import InstallationReader
from triggers.settings import Settings
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry, serve_metrics
from triggers.telemetry.http_metrics import HttpMetrics


def application(
    source: Source,
    installation: InstallationReader | None,
    access: Access,
    *,
    jobs: JobLog | None = None,
    services: Services | None = None,
    metrics: HttpMetrics | None = None,
) -> ASGIApp:
    """Build the application with pages and API.

    Without an installation, as for a recorded log, the pages that need workers say so. Without services, nobody can
    change anything.
    """
    questions, whole_log = Questions(source), asyncio.Lock()
    renderer = Renderer(is_recorded=installation is None, has_jobs=jobs is not None, can_act=services is not None)
    about_all = InstallationPages(questions, installation, renderer)
    gate = Gate(access, renderer, metrics)
    pages = [
        *Api(questions, whole_log).routes(),
        *LoginPages(access, renderer).routes(),
        *about_all.routes(),
        *Pages(questions, whole_log, renderer).routes(),
        PageRoute("GET", "/favicon.ico", _icon, None),
    ]
    # These come before those that read, because /jobs/new is not the name of a job.
    pages += [] if services is None else _acting_pages(questions, services, renderer)
    pages += [] if installation is None else PublishedPages(installation, renderer).routes()
    pages += [] if jobs is None else JobPages(jobs, renderer).routes()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        about_all.close()
        if services is not None:
            await services.close()

    static = StaticFiles(directory=str(files("triggers.console") / "static"))
    routes = [*gate.routes(pages), Mount("/static", static)]
    return _served(Starlette(routes=routes, exception_handlers={HTTPException: gate.no_route}, lifespan=lifespan))


def _served(app: Starlette) -> ASGIApp:
    """Return the application as it is served: names in its paths may contain slashes."""
    app.router.redirect_slashes = False
    return Front(app, "/")


def _acting_pages(questions: Questions, services: Services, renderer: Renderer) -> list[PageRoute]:
    """Return the routes of the pages that change something."""
    return [
        *SessionActions(questions, services, renderer).routes(),
        *LetterActions(services, renderer).routes(),
        *JobActions(services, renderer).routes(),
    ]


async def _icon(_: Visit) -> Response:
    """Redirect browsers that request the traditional name to the icon."""
    return RedirectResponse("/static/icon.svg", 308)


def serve(
    source: Source,
    listening: socket.socket,
    settings: Settings,
    access: Access,
    installation: InstallationReader | None = None,
) -> None:
    """Serve on a listening socket, and metrics if the settings name a port, until SIGINT or SIGTERM. Blocks.

    Raises SettingsError if the port of the metrics is in use.
    """
    services = None if installation is None or access.is_read_only else Services(settings, "console")
    jobs = None if installation is None else services.jobs.log if services is not None else JobLog(settings)
    with _served_metrics(settings) as metrics:
        run(application(source, installation, access, jobs=jobs, services=services, metrics=metrics), listening)


@contextmanager
def _served_metrics(settings: Settings) -> Iterator[HttpMetrics | None]:
    if not settings.metrics_port:
        yield None
        return
    registry = new_registry(MeasuredProcess.CONSOLE)
    metrics = HttpMetrics(registry)
    close = serve_metrics(settings, registry)
    try:
        yield metrics
    finally:
        close()
