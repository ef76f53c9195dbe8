"""The ASGI application: the operations, what surrounds each of them, and the routes beside them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from triggers.api.authentication import Authentication, require_scope
from triggers.api.call import BodyLimits, Call
from triggers.api.front import Front
from triggers.api.ingest import Ingest
from triggers.api.jobs import Jobs
from triggers.api.letters import Letters
from triggers.api.monitoring import Monitoring
from triggers.api.operation_routes import OperationRoutes
from triggers.api.operations import JSON, Operation
from triggers.api.problems import Kind, ProblemError, problem_of, retry_after
from triggers.api.published_rules import RulesOperations
from triggers.api.rate_limits import RateLimits
from triggers.api.repairs import Repairs
from triggers.api.request_tracing import run_traced
from triggers.api.responses import problem_response
from triggers.api.search import Search
from triggers.api.services import Services
from triggers.api.sessions import Sessions
from triggers.client.consumer_lag import Finished
from triggers.codec.avro_records import schema_folder
from triggers.telemetry.http_metrics import HttpMetrics

_log: Final = structlog.get_logger(__name__)


def application(
    services: Services,
    authentication: Authentication,
    *,
    finished: Callable[[int, str], Finished] | None = None,
    mounted: Sequence[BaseRoute] = (),
    metrics: HttpMetrics | None = None,
) -> ASGIApp:
    """Returns the ASGI application of the API.

    `mounted` are routes beside the API, such as a console's pages and its static files. Each of them
    decides itself who may see it, with `authentication`. They get request ids, log lines and error handling, too.
    `finished` is that of `Monitoring`. `metrics` count the requests of operations, unless None.
    """
    guard = _Guard(services, authentication, metrics)
    operations = all_operations(services, finished)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await services.close()

    app = Starlette(
        routes=[_document_route(), *mounted],
        exception_handlers={HTTPException: _no_route, Exception: _failed},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return Front(OperationRoutes(operations, guard.respond, app))


def all_operations(services: Services, finished: Callable[[int, str], Finished] | None = None) -> list[Operation]:
    """Returns all operations of the API, in the order of its document."""
    parts = (
        Ingest(services),
        Search(services),
        Sessions(services),
        Repairs(services),
        Jobs(services),
        RulesOperations(services),
        Letters(services),
        Monitoring(services, finished),
    )
    return [operation for part in parts for operation in part.operations()]


class _Guard:
    """Surrounds an operation: authentication, scope, rate, and problems instead of errors."""

    def __init__(self, services: Services, authentication: Authentication, metrics: HttpMetrics | None) -> None:
        settings = services.settings
        self._metrics = metrics
        self._authentication = authentication
        self._rates = RateLimits(settings.api_rate)
        self._limits = BodyLimits(settings.api_max_body_bytes, settings.api_body_timeout_s)

    async def respond(self, request: Request, operation: Operation) -> Response:
        """Runs the operation and counts the request."""
        if self._metrics is None:
            return await self._respond(request, operation)
        started = time.perf_counter()
        response = await self._respond(request, operation)
        self._metrics.record_request(operation.id, response.status_code, time.perf_counter() - started)
        return response

    async def _respond(self, request: Request, operation: Operation) -> Response:
        """Runs the operation. Returns a problem for every error, and logs those that are not expected."""
        request_id: str = request.scope["state"]["request_id"]
        call = Call(request, request_id, self._limits, lambda events: self._charge(call, events))
        try:
            if operation.scope is not None:
                call.principal = await self._authentication.principal_of(request.headers)
                request.scope["state"]["principal"] = call.principal.name
                require_scope(call.principal, operation.scope)
                call.charge(1)
            call.read_query(operation.query)
            return await run_traced(request, operation, lambda: operation.handler(call))
        except Exception as error:  # noqa: BLE001  # an unexpected error is logged with its traceback and reported without
            problem = problem_of(error)
            if problem.kind is Kind.INTERNAL:
                _log.exception("an operation failed", operation=operation.id)
            elif problem.kind.status >= 500:
                _log.warning("an operation cannot be done now", operation=operation.id, error=str(error))
            return problem_response(problem, request_id)

    def _charge(self, call: Call, events: int) -> None:
        principal = call.principal
        if wait_s := self._rates.take(principal.name, principal.rate, events):
            detail = f"{principal.name!r} has sent more than its rate; try again in {wait_s:.1f} s"
            raise ProblemError(Kind.RATE_LIMITED, detail, headers=retry_after(wait_s))


def _document_route() -> Route:
    """Returns the route of the OpenAPI document. It needs no token: everyone can read it in the repository."""
    text = (schema_folder() / "openapi.json").read_bytes()

    async def document(_: Request) -> Response:
        return Response(text, media_type=JSON)

    return Route("/openapi.json", document)


async def _failed(request: Request, error: Exception) -> Response:
    """Responds for a mounted page that has raised. Starlette raises the error again afterwards, and `Front` logs it."""
    return problem_response(problem_of(error), request.scope["state"]["request_id"])


async def _no_route(request: Request, error: Exception) -> Response:
    """Responds to a path or a method that does not exist. Starlette raises it outside of any operation."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    kinds = {404: Kind.NO_SUCH_PATH, 405: Kind.METHOD_NOT_ALLOWED}
    detail = f"{request.method} {request.url.path[:200]}: the document is at /openapi.json"
    problem = ProblemError(kinds.get(status, Kind.INVALID_REQUEST), detail, headers=headers)
    return problem_response(problem, request.scope["state"]["request_id"])
