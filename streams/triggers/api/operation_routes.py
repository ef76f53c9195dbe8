"""Finds the operation of a request and runs it. Other requests are passed on to Starlette.

Starlette reaches a route through three layers that handle errors, which cost a tenth of a fire. Operations do not need
them, because `_Guard` turns every error into a problem.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from triggers.api.operations import Operation
from triggers.api.problems import Kind, ProblemError
from triggers.api.responses import problem_response

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_Path = tuple[re.Pattern[str], dict[str, Operation]]


class OperationRoutes:
    """An ASGI application that runs operations."""

    def __init__(
        self,
        operations: Sequence[Operation],
        respond: Callable[[Request, Operation], Awaitable[Response]],
        otherwise: ASGIApp,
    ) -> None:
        """`otherwise` gets the requests whose path belongs to no operation."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        self._paths: list[_Path] = [(_pattern_of(path), _with_head(methods)) for path, methods in by_path.items()]
        self._respond = respond
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        allowed: list[str] = []
        for pattern, operations in self._paths:
            if (match := pattern.fullmatch(path)) is None:
                continue
            if (operation := operations.get(method)) is not None:
                scope["path_params"] = match.groupdict()
                response = await self._respond(Request(scope, receive, send), operation)
                await response(scope, receive, send)
                return
            allowed += operations
        if allowed:
            await _method_not_allowed(scope, allowed)(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)


def _pattern_of(path: str) -> re.Pattern[str]:
    """Returns the pattern of a path whose parameters are whole segments."""
    literals = _PARAMETER.split(path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(literals)))


def _with_head(methods: dict[str, Operation]) -> dict[str, Operation]:
    """Adds HEAD, to which the response is that of GET; the server leaves out its body."""
    return methods | ({"HEAD": methods["GET"]} if "GET" in methods else {})


def _method_not_allowed(scope: Scope, allowed: Sequence[str]) -> Response:
    path = f"{scope['method']} {scope['path'][:200]}"
    headers = {"Allow": ", ".join(sorted(set(allowed)))}
    problem = ProblemError(Kind.METHOD_NOT_ALLOWED, f"{path}: the document is at /openapi.json", headers=headers)
    return problem_response(problem, scope["state"]["request_id"])
