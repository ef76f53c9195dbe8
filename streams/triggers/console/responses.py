"""HTTP responses of the console: JSON, pictures, errors with their status, and headers that restrict the browser."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from triggers.errors import CallError, NotFound, TriggersError, TryAgain

_STATUS: dict[type[TriggersError], int] = {NotFound: 404, CallError: 400}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
_FOREIGN = "the console rejects the host name {!r}: open it as localhost, or let your proxy send Host: localhost"
_PICTURE = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy for an SVG, which has its own style and must not run anything."""


def as_json(value: object) -> web.Response:
    """Return a response with the value as JSON."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def as_svg(text: str) -> web.Response:
    """Return a response with an SVG picture."""
    return web.Response(text=text, content_type="image/svg+xml", headers={"Content-Security-Policy": _PICTURE})


def guard(problem_page: Callable[[int, str], web.Response], *, is_local: bool) -> Middleware:
    """Return a middleware that adds headers to all responses and turns exceptions into error responses.

    Errors of the API are `{"error": …}`, all others are pages. With `is_local`, requests whose Host is not a name of
    this machine are rejected: otherwise another site could resolve its own name to this machine (DNS rebinding) and
    read the console in its visitor's browser.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        error_response = _problem if request.path.startswith("/api/") else problem_page
        if is_local and _file_name(request) not in _LOCAL_NAMES:
            response: web.StreamResponse = error_response(403, _FOREIGN.format(request.host))
        else:
            response = await _answer(request, handler, error_response)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guarded


async def _answer(
    request: web.Request, handler: Handler, error_response: Callable[[int, str], web.Response]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except TryAgain as error:
        response = error_response(503, str(error))
        response.headers["Retry-After"] = "1"
        return response
    except TriggersError as error:
        return error_response(_http_status(error), str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_response(error.status, error.text or error.reason)


def _http_status(error: TriggersError) -> int:
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def _file_name(request: web.Request) -> str | None:
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


def _problem(status: int, why: str) -> web.Response:
    response = as_json({"error": why})
    response.set_status(status)
    return response
