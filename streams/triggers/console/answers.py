"""How answers are sent: errors with the status that says what to do, and headers that keep a browser from more."""

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
_OWN_NAMES = {"localhost", "127.0.0.1", "::1"}
_FOREIGN = "the console answers as localhost only, not as {!r}: use that name, or have your proxy send it as Host"
_PICTURE = "default-src 'none'; style-src 'unsafe-inline'"
"""Of an SVG, which carries its own style and must run nothing."""


def as_json(value: object) -> web.Response:
    """A JSON document."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def as_svg(text: str) -> web.Response:
    """A picture."""
    return web.Response(text=text, content_type="image/svg+xml", headers={"Content-Security-Policy": _PICTURE})


def guard(problem_page: Callable[[int, str], web.Response], *, is_local: bool) -> Middleware:
    """A middleware: headers for every answer, and errors as a page or, of the API, as `{"error": …}`.

    `is_local`: answer to this machine's own names only. A page elsewhere can have its name lead to this machine, and
    read in its visitor's browser what is answered to that name.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        tell = _problem if request.path.startswith("/api/") else problem_page
        if is_local and _name_of(request) not in _OWN_NAMES:
            response: web.StreamResponse = tell(403, _FOREIGN.format(request.host))
        else:
            response = await _answer(request, handler, tell)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guarded


async def _answer(
    request: web.Request, handler: Handler, tell: Callable[[int, str], web.Response]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except TryAgain as error:
        response = tell(503, str(error))
        response.headers["Retry-After"] = "1"
        return response
    except TriggersError as error:
        return tell(_status_of(error), str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return tell(error.status, error.text or error.reason)


def _status_of(error: TriggersError) -> int:
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def _name_of(request: web.Request) -> str | None:
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


def _problem(status: int, why: str) -> web.Response:
    response = as_json({"error": why})
    response.set_status(status)
    return response
