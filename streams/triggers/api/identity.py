"""Who sends a request, and what a token allows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct


class Scope(StrEnum):
    """The permissions of a token."""

    INGEST = "ingest"
    """Fire triggers."""
    READ = "read"
    """Read sessions, rules, dead letters and the lag."""
    OPERATE = "operate"
    """Repair sessions: configure, replay, skip, cancel, set a status; redrive and discard dead letters."""
    ADMIN = "admin"
    """Publish rules and delete sessions."""


_INCLUDED: Final[dict[Scope, frozenset[Scope]]] = {
    Scope.INGEST: frozenset({Scope.INGEST}),
    Scope.READ: frozenset({Scope.READ}),
    Scope.OPERATE: frozenset({Scope.OPERATE, Scope.READ}),
    Scope.ADMIN: frozenset(Scope),
}
"""The scopes that each one includes."""


class Principal(Struct, frozen=True, kw_only=True):
    """Who sends a request. Its name becomes the `actor` of an operator's events, and the `source` of fires."""

    name: str
    scopes: frozenset[Scope]
    rate: float = 0.0
    """Events and requests per second that it may send, or 0 for the API's default."""

    def may(self, scope: Scope) -> bool:
        """Returns whether one of its scopes is, or includes, the given one."""
        return any(scope in _INCLUDED[each] for each in self.scopes)


ANYONE: Final = Principal(name="anonymous", scopes=frozenset(Scope))
"""The principal of every request to an API without tokens, which listens on this machine only."""


class Identifier(Protocol):
    """Finds the principal of a token. `TokenFile` and `OpenIdTokens` do so."""

    async def identify(self, token: str) -> Principal | None:
        """Returns the principal, or None if the token is not one of these, or is no longer valid."""
