"""`SignedLogins`: logins in signed cookies, which every console with the same secret accepts.

A cookie says which token has logged in, and when. It has the hash of a token from the file of tokens, as that file has
it, so removing a token ends its logins at once, in every console. A token of an OpenID Connect provider is only valid
until it expires, so the cookie has its name, scopes and expiry instead.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from triggers.api.authentication import Authentication
from triggers.api.identity import Principal, Scope
from triggers.api.tokens import digest_of
from triggers.console.browser_sessions import LIFE_S, form_key, is_browser_id, new_browser_id
from triggers.errors import SettingsError

_MIN_BYTES: Final = 32
_MAX_COOKIE: Final = 2_048
_MAX_ENDED: Final = 10_000


class _Claims(Struct, frozen=True):
    exp: float = 0.0


class _Login(Struct, frozen=True, omit_defaults=True):
    id: str
    until: float
    digest: str = ""
    """Hash of the token, if it is one of the file of tokens."""
    name: str = ""
    scopes: list[Scope] = []


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Login).decode
_decode_claims: Final = msgspec.json.Decoder(_Claims).decode


class SignedLogins:
    """The logins of all consoles with the same secret. Not thread-safe: used in the event loop."""

    def __init__(self, authentication: Authentication, secret: bytes, clock: Callable[[], float] | None = None) -> None:
        self._authentication = authentication
        self._login_key = hmac.new(secret, b"triggers console: login", hashlib.sha256).digest()
        self._form_key = hmac.new(secret, b"triggers console: form", hashlib.sha256).digest()
        self._clock = clock or _now_s
        self._ended: OrderedDict[str, None] = OrderedDict()

    def begin(self, token: str, principal: Principal) -> str:
        """Log a token in and return a new cookie. One from before the login, which others may know, is not used."""
        now, digest = self._clock(), digest_of(token)
        if self._authentication.identify_digest(digest) is not None:
            login = _Login(new_browser_id(), now + LIFE_S, digest=digest.hex())
        else:
            until = min(now + LIFE_S, _expiry_of(token))
            login = _Login(new_browser_id(), until, name=principal.name, scopes=sorted(principal.scopes))
        text = _to_text(_encode(login))
        return f"{text}.{_to_text(self._sign(text))}"

    async def principal_of(self, cookie: str) -> Principal | None:
        """Return who has logged in with a cookie, or None if it is not valid any more or was never signed here."""
        login = self._read(cookie)
        if login is None or self._clock() > login.until or login.id in self._ended:
            return None
        if login.digest:
            return self._authentication.identify_digest(bytes.fromhex(login.digest))
        return Principal(name=login.name, scopes=frozenset(login.scopes))

    def end(self, cookie: str) -> None:
        """Log a cookie out. Other consoles accept a copy of it until it expires."""
        if (login := self._read(cookie)) is not None:
            self._ended[login.id] = None
            while len(self._ended) > _MAX_ENDED:
                self._ended.popitem(last=False)

    def accepts(self, cookie: str) -> bool:
        """Return whether a cookie has the form of one: a random id, or a login."""
        return is_browser_id(cookie) or self._read(cookie) is not None

    def form_key_of(self, cookie: str) -> str:
        """Return the key that each form of a browser must send."""
        return form_key(self._form_key, cookie)

    def _read(self, cookie: str) -> _Login | None:
        text, dot, signature = cookie.partition(".")
        if not dot or len(cookie) > _MAX_COOKIE or not cookie.isascii():
            return None
        try:
            if not hmac.compare_digest(_to_bytes(signature), self._sign(text)):
                return None
            return _decode(_to_bytes(text))
        except (binascii.Error, msgspec.DecodeError):
            return None

    def _sign(self, text: str) -> bytes:
        return hmac.new(self._login_key, text.encode(), hashlib.sha256).digest()


def _now_s() -> float:
    """Return the seconds since 1970, which consoles compare; a monotonic clock differs from machine to machine."""
    return time.time_ns() / 1e9


def read_secret(path: Path) -> bytes:
    """Return the secret of a file. Raises SettingsError if it cannot be read or is too short to be one."""
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"the secret {path} cannot be read: {error.strerror}") from error
    if len(secret) < _MIN_BYTES:
        raise SettingsError(
            f"the secret {path} has {len(secret)} bytes; it must be random and have at least {_MIN_BYTES}, as"
            " `openssl rand -base64 48` prints it"
        )
    return secret


def _expiry_of(token: str) -> float:
    """Return the expiry of a JSON web token whose signature has been checked, or 0."""
    try:
        return _decode_claims(_to_bytes(token.split(".")[1])).exp
    except (IndexError, binascii.Error, msgspec.DecodeError):
        return 0.0


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
