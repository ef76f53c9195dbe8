"""Who may see the console and act in it: by a token, or by being on this machine."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from triggers.api.authentication import Authentication
from triggers.api.identity import Principal, Scope
from triggers.api.origins import LOCAL_NAMES, host_name_of, is_from_another_origin
from triggers.api.problems import Kind, ProblemError
from triggers.console.browser_sessions import BrowserSessions, Logins, new_browser_id
from triggers.console.forms import Form
from triggers.console.signed_logins import SignedLogins
from triggers.console.visit import Visitor

FORM_KEY: Final = "form_key"
"""Name of the field that each form has."""


class Browser(NamedTuple):
    """A browser, by its cookie."""

    id: str
    is_new: bool
    """True if it has sent no id, so that it gets one."""


class Access:
    """Decides who may see pages, and who may change sessions.

    With tokens, everybody has to log in. Without tokens, a console that only this machine reaches lets everybody act as
    the user who has started it; one that others can reach is read-only.
    """

    def __init__(
        self,
        authentication: Authentication,
        *,
        actor: str,
        is_local: bool,
        read_only: bool = False,
        url: str = "",
        secret: bytes = b"",
    ) -> None:
        """`url` is the address under which browsers reach the console, if that is not the one it listens on.

        Consoles with the same `secret` accept each other's logins. Without one, logins end with this process.
        """
        self._authentication = authentication
        self._url = urlsplit(url)
        self._is_local = is_local
        self.needs_login: Final = authentication.needs_tokens
        self.is_read_only: Final = read_only or not (is_local or self.needs_login)
        """True if nobody can act here, whatever their token allows."""
        scopes = frozenset({Scope.READ} if self.is_read_only else Scope)
        self._everybody = Principal(name=actor, scopes=scopes)
        self._logins: Logins = SignedLogins(authentication, secret) if secret else BrowserSessions(authentication)

    def check_host(self, request: Request) -> None:
        """Raise a problem for a Host that is not ours.

        Another site could resolve its own name to this machine (DNS rebinding) and read the console in its visitor's
        browser. With tokens that is no danger, because the browser sends it no cookie of ours.
        """
        host = host_name_of(request.headers)
        if self._url.hostname is not None:
            is_ours = host == self._url.hostname
        else:
            is_ours = self.needs_login or not self._is_local or host in LOCAL_NAMES
        if not is_ours:
            detail = (
                f"the console rejects the host name {request.headers.get('host', '')!r:.100}: open it as"
                f" {self._url.hostname or 'localhost'}, or start it with --url"
            )
            raise ProblemError(Kind.FORBIDDEN, detail)

    def check_origin(self, request: Request) -> None:
        """Raise a problem for a form that a page of another origin has sent."""
        ours = {request.headers.get("host", ""), self._url.netloc} - {""}
        if is_from_another_origin(request.headers, ours):
            raise ProblemError(Kind.FORBIDDEN, "the console rejects what a page of another origin sends")

    def check_form(self, browser: Browser, form: Form) -> None:
        """Raise a problem for a form that is not from a page that this browser has loaded."""
        key = next(iter(form.fields.get(FORM_KEY, ())), "")
        if browser.is_new or not hmac.compare_digest(key.encode(), self.form_key_of(browser).encode()):
            raise ProblemError(Kind.FORBIDDEN, "this form is not valid any more: reload its page, and send it again")

    def browser_of(self, request: Request) -> Browser:
        """Return the browser that has sent a request."""
        try:
            cookie = SimpleCookie(request.headers.get("cookie", "")).get(self._cookie_name(request))
        except CookieError:
            cookie = None
        if cookie is not None and self._logins.accepts(cookie.value):
            return Browser(cookie.value, is_new=False)
        return Browser(new_browser_id(), is_new=True)

    def form_key_of(self, browser: Browser) -> str:
        """Return the key that each form of a browser must send."""
        return self._logins.form_key_of(browser.id)

    async def visitor_of(self, request: Request, browser: Browser) -> Visitor | None:
        """Return the visitor, or None if they have to log in. Raises TryAgain if no provider of tokens answers."""
        form_key = self.form_key_of(browser)
        if not self.needs_login:
            return Visitor(principal=self._everybody, form_key=form_key)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            principal = self._limited(await self._authentication.identify(token.strip()))
        else:
            principal = self._limited(await self._logins.principal_of(browser.id))
        if principal is None:
            return None
        return Visitor(principal=principal, form_key=form_key, has_logged_in=True)

    async def log_in(self, token: str) -> Browser | None:
        """Log a token in and return the browser with its new id, or None if the token is not valid or may not read."""
        principal = await self._authentication.identify(token)
        if principal is None or not principal.may(Scope.READ):
            return None
        return Browser(self._logins.begin(token, principal), is_new=True)

    def log_out(self, browser: Browser) -> None:
        """Log a browser out, so that its cookie is useless."""
        self._logins.end(browser.id)

    def set_cookie(self, request: Request, response: Response, browser: Browser) -> None:
        """Give a browser its id. Scripts cannot read it, and no other site's page sends it with a form."""
        response.set_cookie(
            self._cookie_name(request), browser.id, path="/", secure=self._is_secure(request), httponly=True,
            samesite="lax",
        )  # fmt: skip

    def _limited(self, principal: Principal | None) -> Principal | None:
        """Return the principal with what it may do here."""
        if principal is None or not self.is_read_only:
            return principal
        scopes = frozenset({Scope.READ} if principal.may(Scope.READ) else ())
        return Principal(name=principal.name, scopes=scopes, rate=principal.rate)

    def _cookie_name(self, request: Request) -> str:
        """Return the name of the cookie. Ports share the cookies of a host, so the name has the port."""
        if self._is_secure(request):
            return "__Host-triggers"
        return f"triggers-{_port(request.headers.get('host', ''))}"

    def _is_secure(self, request: Request) -> bool:
        """Return whether the browser uses TLS. A visitor who forges the header harms only their own cookie."""
        return "https" in (self._url.scheme, request.scope["scheme"], request.headers.get("x-forwarded-proto", ""))


def _port(host: str) -> int:
    try:
        return urlsplit(f"//{host}").port or 80
    except ValueError:
        return 80
