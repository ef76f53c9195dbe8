"""Sessions of browsers: who has logged in, and the keys of their forms.

A browser has a random id in a cookie. The id alone allows nothing; the memory of this process knows which token has
logged in with it. So after a logout, or the end of the process, the cookie is useless. Consoles that share a
secret use `SignedLogins` instead.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from triggers.api.authentication import Authentication
from triggers.api.identity import Principal

LIFE_S: Final = 12 * 3600.0
"""Time after which somebody has to log in again."""
_MAX_LOGINS: Final = 10_000
_ID_LENGTH: Final = 43


class _Login(NamedTuple):
    token: str
    at: float


class Logins(Protocol):
    """Knows who has logged in with which cookie. Not thread-safe: used in the event loop."""

    def begin(self, token: str, principal: Principal) -> str:
        """Log a token in and return a new cookie. One from before the login, which others may know, is not used."""

    async def principal_of(self, cookie: str) -> Principal | None:
        """Return who has logged in with a cookie, or None. Raises TryAgain if no provider of tokens answers."""

    def end(self, cookie: str) -> None:
        """Log a cookie out."""

    def accepts(self, cookie: str) -> bool:
        """Return whether a cookie has the form of one of ours."""

    def form_key_of(self, cookie: str) -> str:
        """Return the key that each form of a browser must send. Only this class can compute it."""


class BrowserSessions:
    """The logins of one process, by a digest of the browser's id."""

    def __init__(self, authentication: Authentication, clock: Callable[[], float] = time.monotonic) -> None:
        self._authentication = authentication
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._logins: OrderedDict[bytes, _Login] = OrderedDict()

    def begin(self, token: str, principal: Principal) -> str:  # noqa: ARG002  # the token says who it is, again and again
        browser_id = new_browser_id()
        self._logins[self._digest(browser_id)] = _Login(token, self._clock())
        while len(self._logins) > _MAX_LOGINS:
            self._logins.popitem(last=False)
        return browser_id

    async def principal_of(self, cookie: str) -> Principal | None:
        token = self._token_of(cookie)
        return None if token is None else await self._authentication.identify(token)

    def accepts(self, cookie: str) -> bool:
        return is_browser_id(cookie)

    def _token_of(self, browser_id: str) -> str | None:
        """Return the token that has logged in with an id, or None."""
        digest = self._digest(browser_id)
        login = self._logins.get(digest)
        if login is None:
            return None
        if self._clock() - login.at > LIFE_S:
            del self._logins[digest]
            return None
        return login.token

    def end(self, cookie: str) -> None:
        self._logins.pop(self._digest(cookie), None)

    def form_key_of(self, cookie: str) -> str:
        return form_key(self._key, cookie)

    def _digest(self, browser_id: str) -> bytes:
        return hmac.new(self._key, b"login " + browser_id.encode(), hashlib.sha256).digest()


def form_key(key: bytes, cookie: str) -> str:
    """Return the key of the forms of a browser."""
    return hmac.new(key, cookie.encode(), hashlib.sha256).hexdigest()


def new_browser_id() -> str:
    """Return a random id."""
    return secrets.token_urlsafe(32)


def is_browser_id(text: str) -> bool:
    """Return whether a cookie has the form of an id."""
    return len(text) == _ID_LENGTH and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
