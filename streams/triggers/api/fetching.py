"""Fetches JSON documents of an OpenID Connect provider: over TLS, without redirects, within a time and a size."""

from __future__ import annotations

import urllib.request
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 1_000_000
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


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
