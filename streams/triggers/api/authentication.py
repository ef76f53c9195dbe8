"""Finds the principal of a request by its bearer token, or admits requests from this machine if there are no tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers

from triggers.api.identity import ANYONE, Identifier, Principal, Scope
from triggers.api.origins import LOCAL_NAMES, host_name_of, is_from_another_origin
from triggers.api.problems import Kind, ProblemError
from triggers.api.tokens import TokenFile

_CHALLENGE: Final = 'Bearer realm="triggers"'
_MAX_TOKEN: Final = 8192
"""Maximum length of a token. A JSON web token with many claims is long, and longer ones are not ours."""


class Authentication:
    """Asks each identifier for the principal of a token. Without identifiers, every local request is `anonymous`."""

    def __init__(self, identifiers: Sequence[Identifier]) -> None:
        self._identifiers = identifiers

    @property
    def needs_tokens(self) -> bool:
        """False if there are no identifiers, so that the API must listen on this machine only."""
        return bool(self._identifiers)

    async def principal_of(self, headers: Headers) -> Principal:
        """Returns the principal of a request. Raises a problem with the status 401, or 403 for a foreign web site."""
        if not self._identifiers:
            _check_local(headers)
            return ANYONE
        principal = await self.identify(_bearer(headers))
        if principal is None:
            raise ProblemError(
                Kind.UNAUTHENTICATED,
                "the token is unknown or no longer valid",
                headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
            )
        return principal

    async def identify(self, token: str) -> Principal | None:
        """Returns the principal of a token, or None if it is not valid. The login of a console can use it."""
        if not 0 < len(token) <= _MAX_TOKEN or not token.isascii():
            return None
        for identifier in self._identifiers:
            if (principal := await identifier.identify(token)) is not None:
                return principal
        return None

    def identify_digest(self, digest: bytes) -> Principal | None:
        """Returns the principal of a token of the file of tokens by its hash, or None if the file does not have it."""
        for identifier in self._identifiers:
            if isinstance(identifier, TokenFile) and (principal := identifier.identify_digest(digest)) is not None:
                return principal
        return None


def require_scope(principal: Principal, scope: Scope) -> None:
    """Raises a problem with the status 403 if the principal does not have the scope."""
    if not principal.may(scope):
        raise ProblemError(
            Kind.FORBIDDEN,
            f"this needs the scope {scope}; the token of {principal.name!r} has {', '.join(sorted(principal.scopes))}",
            headers={"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
        )


def _bearer(headers: Headers) -> str:
    values = headers.getlist("authorization")
    if len(values) == 1:
        scheme, _, token = values[0].strip().partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    detail = "send the header `Authorization: Bearer <token>` once"
    raise ProblemError(Kind.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": _CHALLENGE})


def _check_local(headers: Headers) -> None:
    """Raises a problem for a request that another web site has sent from a browser on this machine.

    Another site could resolve its own name to this machine (DNS rebinding), or post a form here without reading the
    response.
    """
    host = headers.get("host", "")
    if host_name_of(headers) not in LOCAL_NAMES:
        detail = f"without tokens, the API rejects the host name {host!r:.100}; use localhost, or configure tokens"
        raise ProblemError(Kind.FORBIDDEN, detail)
    if is_from_another_origin(headers, (host,)):
        detail = "without tokens, the API rejects requests that a page of another origin sends; configure tokens"
        raise ProblemError(Kind.FORBIDDEN, detail)
