"""Sessions of browsers: who has logged in, and the keys of their forms.

A browser has a random id in a cookie. The id alone allows nothing; the memory of this process knows which token has
logged in with it. So a logout, or the end of the process, ends what the cookie was good for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

LIFE_S: Final = 12 * 3600.0
"""Time after which somebody has to log in again."""
_MAX_LOGINS: Final = 10_000
_ID_LENGTH: Final = 43


class _Login(NamedTuple):
    token: str
    at: float


class BrowserSessions:
    """The logins of one process, by a digest of the browser's id. Not thread-safe: used in the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._logins: OrderedDict[bytes, _Login] = OrderedDict()

    def begin(self, token: str) -> str:
        """Log a token in and return a new id. An id from before the login, which others may know, is not used."""
        browser_id = new_browser_id()
        self._logins[self._digest(browser_id)] = _Login(token, self._clock())
        while len(self._logins) > _MAX_LOGINS:
            self._logins.popitem(last=False)
        return browser_id

    def token_of(self, browser_id: str) -> str | None:
        """Return the token that has logged in with an id, or None."""
        digest = self._digest(browser_id)
        login = self._logins.get(digest)
        if login is None:
            return None
        if self._clock() - login.at > LIFE_S:
            del self._logins[digest]
            return None
        return login.token

    def end(self, browser_id: str) -> None:
        """Log an id out."""
        self._logins.pop(self._digest(browser_id), None)

    def form_key_of(self, browser_id: str) -> str:
        """Return what the forms of a browser repeat. Only this process can compute it."""
        return hmac.new(self._key, browser_id.encode(), hashlib.sha256).hexdigest()

    def _digest(self, browser_id: str) -> bytes:
        return hmac.new(self._key, b"login " + browser_id.encode(), hashlib.sha256).digest()


def new_browser_id() -> str:
    """Return a random id."""
    return secrets.token_urlsafe(32)


def is_browser_id(text: str) -> bool:
    """Return whether a cookie has the form of an id."""
    return len(text) == _ID_LENGTH and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
