"""Tokens of the API. A token is stored as the SHA-256 of its text, and is compared in constant time.

A token has 256 random bits, so that a fast hash is enough: nobody can try them all, as they could with passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from triggers.api.identity import Principal, Scope
from triggers.errors import SettingsError

_PREFIX: Final = "trg_"
"""Prefix of a token, by which people and scanners of repositories recognise one."""
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_RATE: Final = re.compile(r"rate=(\d+(?:\.\d+)?)")
_POLL_INTERVAL_S: Final = 1.0
_LINE: Final = "<name> <scope>,<scope>… sha256:<hash> [rate=<per second>]"

_log: Final = structlog.get_logger(__name__)


class StoredToken(Struct, frozen=True):
    """A principal with the hash of its token."""

    principal: Principal
    digest: bytes


def make_token() -> str:
    """Returns a new random token."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """Returns the hash under which a token is stored."""
    return hashlib.sha256(token.encode()).digest()


def token_line(name: str, scopes: frozenset[Scope], token: str, rate: float = 0.0) -> str:
    """Returns the line under which a token is stored, without a line end. Raises SettingsError for a wrong name."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"the name of a token is {name!r}; it must be letters, digits and ._@+-, at most 100")
    written = ",".join(scope for scope in Scope if scope in scopes)
    limit = f" rate={rate:g}" if rate else ""
    return f"{name} {written} sha256:{digest_of(token).hex()}{limit}"


def parse_tokens(text: str, where: str) -> list[StoredToken]:
    """Parses lines of tokens. A semicolon ends a line as well; blank lines and those that begin with # are ignored.

    `where` names the text in the message of the SettingsError for a wrong line, which does not repeat the line.
    """
    lines = enumerate(re.split(r"[\n;]", text), 1)
    return [
        _parse_line(line.split(), f"{where}, line {number}")
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _parse_line(words: list[str], where: str) -> StoredToken:
    if len(words) not in (3, 4):
        raise SettingsError(f"{where}: a line is {_LINE}; `triggers api token` makes one")
    name, scopes, stored, *more = words
    hashed, rate = _HASH.fullmatch(stored), _RATE.fullmatch(more[0]) if more else None
    if hashed is None:
        raise SettingsError(f"{where}: the third word must be sha256: and 64 hexadecimal digits, never a token itself")
    if more and rate is None:
        raise SettingsError(f"{where}: the fourth word must be rate=<number per second>")
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{where}: the name must be letters, digits and ._@+-, at most 100")
    limit = float(rate[1]) if rate else 0.0
    principal = Principal(name=name, scopes=parse_scopes(scopes.split(","), where), rate=limit)
    return StoredToken(principal, bytes.fromhex(hashed[1]))


def parse_scopes(names: list[str], where: str) -> frozenset[Scope]:
    """Returns the scopes of these names. Raises SettingsError, which names the known ones."""
    if wrong := [name for name in names if name not in set(Scope)]:
        raise SettingsError(f"{where}: {wrong[0]!r} is no scope; the scopes are {', '.join(Scope)}")
    return frozenset(map(Scope, names))


class TokenFile:
    """The tokens of a file, which is read again when it changes, and of a text that does not change.

    If the file becomes invalid, this is logged, and the previous tokens remain valid.
    """

    def __init__(self, path: Path | None, text: str = "") -> None:
        """Reads the file. Raises SettingsError if it cannot be read or has a wrong line."""
        self._path = path
        self._fixed = parse_tokens(text, "TRIGGERS_API_TOKENS")
        self._stamp = self._file_state()
        self._stored = self._read()
        self._checked_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._fixed) + len(self._stored)

    async def identify(self, token: str) -> Principal | None:
        """Returns the principal of a token, or None."""
        return self.identify_digest(digest_of(token))

    def identify_digest(self, digest: bytes) -> Principal | None:
        """Returns the principal of the token with this hash, or None.

        Compares it with all tokens, so that its time tells nothing.
        """
        if time.monotonic() - self._checked_at > _POLL_INTERVAL_S:
            self._refresh()
        principal = None
        for stored in (*self._fixed, *self._stored):
            if hmac.compare_digest(stored.digest, digest):
                principal = stored.principal
        return principal

    def _refresh(self) -> None:
        self._checked_at = time.monotonic()
        try:
            if (stamp := self._file_state()) != self._stamp:
                self._stored = self._read()
                self._stamp = stamp
        except SettingsError as error:
            _log.error("the file of tokens cannot be used; the previous tokens remain valid", error=str(error))

    def _file_state(self) -> tuple[int, int]:
        """Returns values that change with the file. The file is small and local, so this may block the loop."""
        if self._path is None:
            return (0, 0)
        try:
            status = self._path.stat()
        except OSError as error:
            raise SettingsError(f"the file of tokens {self._path} cannot be read: {error.strerror}") from error
        return status.st_mtime_ns, status.st_size

    def _read(self) -> list[StoredToken]:
        if self._path is None:
            return []
        try:
            text = self._path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"the file of tokens {self._path} cannot be read: {error}") from error
        return parse_tokens(text, str(self._path))
