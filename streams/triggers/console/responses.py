"""HTTP responses of the console: JSON, pictures, the status of an error, and headers that restrict the browser."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from triggers.errors import CallError, NotFound, TooLarge, TriggersError, WrongStatus

API: Final = "/api/"
"""Where the paths of the JSON endpoints begin."""
_STATUS: Final[dict[type[TriggersError], int]] = {NotFound: 404, WrongStatus: 409, TooLarge: 413, CallError: 400}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would not say from where a form comes
    "Cache-Control": "no-store",
}
_PICTURE: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy for an SVG, which has its own style and must not run anything."""


def as_json(value: object, status: int = 200) -> Response:
    """Return a response with the value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def as_problem(status: int, why: str) -> Response:
    """Return a response of a JSON endpoint with an error."""
    return as_json({"error": why}, status)


def as_svg(text: str) -> Response:
    """Return a response with an SVG picture."""
    return Response(text, media_type="image/svg+xml", headers={"Content-Security-Policy": _PICTURE})


def is_html(response: Response) -> bool:
    """Return whether a response is a page."""
    return response.headers.get("content-type", "").startswith("text/html")


def add_headers(response: Response) -> Response:
    """Add the headers that restrict the browser, except for those that the response has already."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def status_of(error: TriggersError) -> int:
    """Return the status of an error."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
