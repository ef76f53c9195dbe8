"""The span of a request, which continues the trace of the client. Whatever the request fires is below it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from triggers.api.operations import Operation
from triggers.api.problems import problem_of
from triggers.codec.trace_headers import read_attributes
from triggers.telemetry.current_trace import following
from triggers.telemetry.spans import Kind
from triggers.telemetry.tracing import begin_span

_STATUS: Final = "http.response.status_code"
_SERVER_ERROR: Final = 500


async def run_traced(request: Request, operation: Operation, run: Callable[[], Awaitable[Response]]) -> Response:
    """Runs an operation in a span, if this process makes spans. Checks of health, which need no token, have none.

    Raises what `run` raises. Only an error of the server makes the span one that has failed, as OpenTelemetry's
    conventions for HTTP demand.
    """
    parent = read_attributes(request.headers)
    about = {"http.request.method": operation.method, "http.route": operation.path, "url.scheme": request.url.scheme}
    name = f"{operation.method} {operation.path}"
    span = None if operation.scope is None else begin_span(name, Kind.SERVER, parent, dict(about))
    if span is None:
        with following(parent):
            return await run()
    try:
        response = await run()
    except Exception as error:
        status = problem_of(error).kind.status
        span.set_attribute(_STATUS, status)
        if status >= _SERVER_ERROR:
            span.record_error(error)
        raise
    else:
        span.set_attribute(_STATUS, response.status_code)
        return response
    finally:
        span.end()
