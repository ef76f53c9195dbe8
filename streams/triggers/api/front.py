"""The outermost layer of every request: its id, its log line, headers for browsers, and the last error handler.

It is plain ASGI, so that it also wraps what is mounted beside the API, such as a console.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triggers.api.problems import Kind, ProblemError
from triggers.api.responses import problem_response

API_PREFIX: Final = "/v1/"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of responses that do not have them themselves."""

_PROCESS: Final = secrets.token_hex(4)
_numbers: Final = itertools.count()
_log: Final = structlog.get_logger(__name__)
_stdlib_log: Final = logging.getLogger(__name__)


class Front:
    """An ASGI application that wraps another one."""

    def __init__(self, app: ASGIApp, raw_prefix: str = API_PREFIX) -> None:
        """Paths that begin with `raw_prefix` are matched as they were sent, before they are percent-decoded."""
        self._app = app
        self._raw_prefix = raw_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request. Everything but HTTP is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        _take_path_as_sent(scope, self._raw_prefix)
        response = _Response(send, request_id)
        started = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=request_id)  # a request is a task, with a context of its own
        try:
            await self._app(scope, receive, response.send)
        except Exception:  # noqa: BLE001  # whatever was raised, the client gets a problem, and the log the traceback
            _log.exception("a request failed")
            if not response.status:
                failure = problem_response(ProblemError(Kind.INTERNAL), request_id)
                await failure(scope, receive, response.send)
        _log_request(scope, response.status, time.perf_counter() - started)


class _Response:
    """Adds headers to a response and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        """The status of the response, or 0 before it has begun."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self._request_id.encode())]
            names = {name for name, _ in headers}
            message["headers"] = [*headers, *(header for header in _HEADERS if header[0] not in names)]
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """Returns the id that the client or a proxy gave the request, or a new one. Other text could forge log lines."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else _new_id()
    return _new_id()


def _new_id() -> str:
    return f"{_PROCESS}{next(_numbers):08x}"


def _take_path_as_sent(scope: Scope, prefix: str) -> None:
    """Lets routes match the path before it is percent-decoded, because names in it may contain slashes."""
    raw = scope.get("raw_path") or b""
    path = raw.decode("ascii", errors="replace")
    if path.startswith(prefix):
        scope["path"] = path


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Logs a request: our errors as warnings, what operators change as information, the rest for debugging."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", errors="replace")
    is_ingest = path == "/v1/events" or "/triggers/" in path
    if status >= 500:
        level = logging.WARNING
    elif scope["method"] in ("GET", "HEAD") or is_ingest:
        level = logging.DEBUG
    else:
        level = logging.INFO
    if not _stdlib_log.isEnabledFor(level):
        return  # because structlog checks the level after rendering, which would cost every fire
    ms, principal = round(1000 * seconds, 1), scope["state"].get("principal")
    _log.log(level, "request", method=scope["method"], path=path, status=status, ms=ms, principal=principal)
