"""Validates tokens of an OpenID Connect provider: their signature, issuer, audience and lifetime."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import msgspec
import structlog
from msgspec import Struct
from typing_extensions import override

from triggers.api.identity import Principal, Scope
from triggers.errors import SettingsError, TryAgain
from triggers.settings import Settings

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Algorithms with a public key. With a shared secret, anyone who can check a token could also create one."""
_LEEWAY_S: Final = 30
"""How much the clocks of the provider and this machine may differ."""
_KEYS_LIVE_S: Final = 300.0
_ASK_AGAIN_S: Final = 10.0
"""Time between two fetches of the keys because of unknown ones, so that forged tokens cannot cause many."""
_MAX_NAME: Final = 200

_log: Final = structlog.get_logger(__name__)
_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 1_000_000
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Provider(Struct, frozen=True, kw_only=True):
    """An OpenID Connect provider, and what its tokens say."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    keys_url: str = ""
    """URL of the provider's keys, or empty to ask the issuer for it."""
    scope_claim: str = "scope"
    scope_prefix: str = "triggers:"
    actor_claim: str = "sub"


def provider_of(settings: Settings) -> Provider | None:
    """Returns the provider that the settings name, or None if they name no issuer. Raises SettingsError."""
    if not settings.api_oidc_issuer:
        return None
    if not settings.api_oidc_audience:
        raise SettingsError("TRIGGERS_API_OIDC_AUDIENCE is empty; without it, tokens for other services would be valid")
    algorithms = tuple(name for written in settings.api_oidc_algorithms.split(",") if (name := written.strip()))
    if not algorithms or not ALGORITHMS.issuperset(algorithms):
        wrong = ", ".join(name for name in algorithms if name not in ALGORITHMS) or "nothing"
        known = ", ".join(sorted(ALGORITHMS))
        raise SettingsError(f"TRIGGERS_API_OIDC_ALGORITHMS has {wrong}; it must be some of {known}")
    return Provider(
        issuer=settings.api_oidc_issuer,
        audience=settings.api_oidc_audience,
        algorithms=algorithms,
        keys_url=settings.api_oidc_jwks_url,
        scope_claim=settings.api_oidc_scope_claim,
        scope_prefix=settings.api_oidc_scope_prefix,
        actor_claim=settings.api_oidc_actor_claim,
    )


class OpenIdTokens:
    """Identifies principals by JSON web tokens of one provider."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._keys = SigningKeys(provider, clock)

    async def identify(self, token: str) -> Principal | None:
        """Returns the principal of a token, or None if it is no valid token of the provider for this API.

        Raises TryAgain if the keys cannot be fetched.
        """
        provider = self._provider
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            return None
        if header.get("alg") not in provider.algorithms:
            return None
        key = await self._keys.find_key(header.get("kid"))
        if key is None:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(provider.algorithms),
                audience=provider.audience,
                issuer=provider.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", provider.actor_claim]},
            )
        except jwt.InvalidTokenError:
            return None
        return _principal(claims, provider)


class SigningKeys:
    """The public keys of a provider, which are cached. An unknown key may be new, so the keys are fetched again."""

    def __init__(self, provider: Provider, clock: Callable[[], float]) -> None:
        self._provider = provider
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._lock = asyncio.Lock()

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        """Returns the key with an id, or None. Raises TryAgain if no keys are known and they cannot be fetched."""
        async with self._lock:
            if self._must_fetch(key_id):
                await self._fetch()
        return self._keys.get(key_id)

    def _must_fetch(self, key_id: str | None) -> bool:
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < _ASK_AGAIN_S:
            return False
        is_old = self._fetched_at is None or now - self._fetched_at > _KEYS_LIVE_S
        return is_old or key_id not in self._keys

    async def _fetch(self) -> None:
        self._asked_at = self._clock()
        try:
            keys = await asyncio.to_thread(_fetch_keys, self._provider)
        except FetchFailed as error:
            if not self._keys:
                self._asked_at = None
                raise TryAgain(f"the keys of {self._provider.issuer} cannot be fetched: {error}") from error
            _log.error(
                "the keys of the OpenID Connect provider cannot be fetched; the old ones remain valid", error=str(error)
            )
        else:
            self._keys, self._fetched_at = keys, self._clock()


def _fetch_keys(provider: Provider) -> dict[str | None, jwt.PyJWK]:
    """Fetches the keys. Blocks. Ignores keys for other uses, and keys of unknown algorithms."""
    url = provider.keys_url or _discover(provider.issuer)
    try:
        keys = jwt.PyJWKSet.from_dict(fetch_json(url)).keys
    except jwt.PyJWTError as error:
        raise FetchFailed(f"{url} has no usable keys: {error}") from error
    return {key.key_id: key for key in keys if key.public_key_use in (None, "sig")}


def _discover(issuer: str) -> str:
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    document = fetch_json(url)
    keys_url = document.get("jwks_uri")
    if document.get("issuer") != issuer or not isinstance(keys_url, str):
        raise FetchFailed(f"{url} does not describe the issuer {issuer}")
    return keys_url


def _principal(claims: Mapping[str, Any], provider: Provider) -> Principal | None:
    name = claims[provider.actor_claim]
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        return None
    written = claims.get(provider.scope_claim, "")
    words = written.split() if isinstance(written, str) else written if isinstance(written, list) else []
    prefix, known = provider.scope_prefix, set(Scope)
    names = {word.removeprefix(prefix) for word in words if isinstance(word, str) and word.startswith(prefix)}
    return Principal(name=name, scopes=frozenset(Scope(each) for each in names if each in known))


class FetchFailed(Exception):
    """A document cannot be fetched; the message names the URL and the cause."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, because a provider's documents are where its issuer says."""

    @override
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener: Final = urllib.request.build_opener(_NoRedirects)


def fetch_json(url: str) -> dict[str, Any]:
    """Returns the JSON object at a URL. Blocks for some seconds at most. Raises FetchFailed."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise FetchFailed(f"{url} must be an https URL")
    try:
        with _opener.open(url, timeout=_TIMEOUT_S) as response:
            body = response.read(_MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise FetchFailed(f"{url}: {error}") from error
    if len(body) > _MAX_BYTES:
        raise FetchFailed(f"{url} has more than {_MAX_BYTES} bytes")
    try:
        document: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FetchFailed(f"{url} is no JSON object: {error}") from error
    return document
