"""Login by a token, and logout."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.responses import RedirectResponse, Response

from triggers.console.access import Access
from triggers.console.gate import PageRoute
from triggers.console.parameters import text_of
from triggers.console.rendering import Renderer
from triggers.console.visit import Visit

_WRONG: Final = "This token is unknown, not valid any more, or does not have the scope read."

_log: Final = structlog.get_logger(__name__)


class LoginPages:
    """Handlers of these pages. Without tokens, they lead to the overview."""

    def __init__(self, access: Access, renderer: Renderer) -> None:
        self._access = access
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [
            PageRoute("GET", "/login", self.login, None),
            PageRoute("POST", "/login", self.log_in, None),
            PageRoute("POST", "/logout", self.log_out, None),
        ]

    async def login(self, visit: Visit) -> Response:
        """Show the form for a token."""
        if not self._access.needs_login or visit.visitor.has_logged_in:
            return RedirectResponse(_local_address(text_of(visit.query, "next")), 303)
        return self._renderer.page(visit, "login.html", {"next": text_of(visit.query, "next"), "why": ""})

    async def log_in(self, visit: Visit) -> Response:
        """Log a token in, and lead to the page that was asked for."""
        after = text_of(visit.form, "next")
        browser = await self._access.log_in(text_of(visit.form, "token").strip())
        if browser is None:
            client = visit.request.client
            _log.warning("a login was refused", client=None if client is None else client.host)
            return self._renderer.page(visit, "login.html", {"next": after, "why": _WRONG}, 401)
        response = RedirectResponse(_local_address(after), 303)
        self._access.set_cookie(visit.request, response, browser)
        return response

    async def log_out(self, visit: Visit) -> Response:
        """End the session of the browser."""
        self._access.log_out(self._access.browser_of(visit.request))
        return RedirectResponse("/login", 303)


def _local_address(address: str) -> str:
    """Return the address if it is a page of the console, or else the overview: a link must not lead elsewhere."""
    is_local = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_local and address.isascii() and address.isprintable() else "/"
