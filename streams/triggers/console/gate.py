"""The frame of each page: who may see it, its form, its headers, and error pages instead of errors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from triggers.api.call import BodyLimits, read_body
from triggers.api.identity import Principal, Scope
from triggers.api.problems import Kind, ProblemError
from triggers.console.access import Access, Browser
from triggers.console.forms import Form, parse_form
from triggers.console.rendering import Renderer
from triggers.console.responses import API, add_headers, as_problem, is_html, status_of
from triggers.console.visit import Visit, Visitor
from triggers.errors import TriggersError, TryAgain
from triggers.telemetry.http_metrics import HttpMetrics

Handler = Callable[[Visit], Awaitable[Response]]

_LIMITS: Final[dict[Scope | None, BodyLimits]] = {
    Scope.READ: BodyLimits(64 * 1024 * 1024, 60.0),  # a capsule
    Scope.OPERATE: BodyLimits(16 * 1024 * 1024, 60.0),
    Scope.ADMIN: BodyLimits(64 * 1024, 10.0),
    None: BodyLimits(64 * 1024, 10.0),
}
"""Limits of a body, by the scope that its page needs. Without one, as before the login, nothing large is accepted."""
_NO_ROUTE: Final = "none"
_NOBODY: Final = Principal(name="nobody", scopes=frozenset())
"""Who has not logged in, on the pages that everybody sees."""

_log: Final = structlog.get_logger(__name__)


class PageRoute(NamedTuple):
    """A page: where it is, what answers, and what its visitor must be allowed to do."""

    method: str
    path: str
    handler: Handler
    scope: Scope | None = Scope.READ
    """The scope that a visitor needs, or None for pages that everybody sees, such as the login."""


class Gate:
    """Lets requests through to pages."""

    def __init__(self, access: Access, renderer: Renderer, metrics: HttpMetrics | None) -> None:
        self._access = access
        self._renderer = renderer
        self._metrics = metrics

    def routes(self, pages: Iterable[PageRoute]) -> list[Route]:
        """Return one route for each path, so that the response to a wrong method names the allowed ones."""
        by_path: dict[str, dict[str, PageRoute]] = {}
        for page in pages:
            by_path.setdefault(page.path, {})[page.method] = page
        return [Route(path, self._endpoint(methods), methods=list(methods)) for path, methods in by_path.items()]

    async def no_route(self, request: Request, error: Exception) -> Response:
        """Respond to a path or a method that does not exist. Starlette raises it outside of any page."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = self._problem(request, None, status, error.detail if isinstance(error, HTTPException) else "")
        for name, value in (error.headers or {}).items() if isinstance(error, HTTPException) else ():
            response.headers[name] = value
        self._count(_NO_ROUTE, response, time.perf_counter())
        return response

    def _endpoint(self, methods: dict[str, PageRoute]) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            page, started = methods["GET" if request.method == "HEAD" else request.method], time.perf_counter()
            response = add_headers(await self._respond(request, page))
            self._count(page.path, response, started)
            return response

        return respond

    async def _respond(self, request: Request, page: PageRoute) -> Response:
        visitor: Visitor | None = None
        try:
            self._access.check_host(request)
            browser = self._access.browser_of(request)
            visitor = await self._access.visitor_of(request, browser)
            response = await self._let_in(request, page, browser, visitor)
            if browser.is_new and is_html(response) and "set-cookie" not in response.headers:
                self._access.set_cookie(request, response, browser)
        except ProblemError as error:
            response = self._problem(request, visitor, error.kind.status, error.detail or error.kind.title)
            response.headers.update(error.headers)
        except TryAgain as error:
            response = self._problem(request, visitor, 503, str(error))
            response.headers["Retry-After"] = "1"
        except TriggersError as error:
            response = self._problem(request, visitor, status_of(error), str(error))
        except Exception:  # noqa: BLE001  # an unexpected one is logged with its traceback, and reported without
            _log.exception("a page failed", page=page.path)
            response = self._problem(request, visitor, 500, "The console's log has the cause.")
        return response

    async def _let_in(self, request: Request, page: PageRoute, browser: Browser, visitor: Visitor | None) -> Response:
        if page.scope is not None:
            if visitor is None:
                return self._ask_to_log_in(request)
            request.scope["state"]["principal"] = visitor.principal.name
            self._require(visitor, page.scope)
        visitor = visitor or Visitor(principal=_NOBODY, form_key=self._access.form_key_of(browser))
        body, form = b"", None
        if request.method == "POST":
            self._access.check_origin(request)
            body = await read_body(request, _LIMITS[page.scope])
            form = self._checked_form(request, browser, body)
        return await page.handler(Visit(request, visitor, body, form))

    def _checked_form(self, request: Request, browser: Browser, body: bytes) -> Form | None:
        """Return the form of a page. A body for the JSON endpoints is no form, and changes nothing."""
        if _path_of(request).startswith(API):
            return None
        form = parse_form(request.headers.get("content-type", ""), body)
        self._access.check_form(browser, form)
        return form

    def _require(self, visitor: Visitor, scope: Scope) -> None:
        if visitor.principal.may(scope):
            return
        if self._access.is_read_only:
            raise ProblemError(Kind.FORBIDDEN, "this console is read-only: nobody can change anything here")
        raise ProblemError(Kind.FORBIDDEN, f"this needs the scope {scope}, which your token does not have")

    def _ask_to_log_in(self, request: Request) -> Response:
        if _path_of(request).startswith(API):
            raise ProblemError(
                Kind.UNAUTHENTICATED,
                "log in, or send the header `Authorization: Bearer <token>`",
                headers={"WWW-Authenticate": 'Bearer realm="triggers"'},
            )
        query = request.scope["query_string"].decode("ascii", errors="replace")
        address = _path_of(request) + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(address, safe='')}", 303)

    def _problem(self, request: Request, visitor: Visitor | None, status: int, why: str) -> Response:
        if _path_of(request).startswith(API):
            return add_headers(as_problem(status, why))
        return add_headers(self._renderer.problem(visitor, status, why))

    def _count(self, operation: str, response: Response, started: float) -> None:
        if self._metrics is not None:
            self._metrics.record_request(operation, response.status_code, time.perf_counter() - started)


def _path_of(request: Request) -> str:
    """Return the path. It is not taken from the URL, which cannot be built if the Host header is malformed."""
    path: str = request.scope["path"]
    return path
