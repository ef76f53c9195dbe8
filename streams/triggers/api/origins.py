"""Where a request of a browser comes from: the host that it names, and the origin of the page that sends it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names under which only this machine reaches itself."""
_FOREIGN_SITES: Final = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site for a page of another origin."""


def host_name_of(headers: Headers) -> str | None:
    """Returns the host name of a request without its port, or None if the header Host is missing or wrong."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def is_from_another_origin(headers: Headers, ours: Collection[str]) -> bool:
    """Returns whether a page of another origin sends the request; `ours` has host and port of each of our addresses.

    A request without Origin and Sec-Fetch-Site, as programs send it, is from no page.
    """
    origin = headers.get("origin")
    is_foreign = origin is not None and _netloc(origin) not in ours
    return is_foreign or headers.get("sec-fetch-site", "") in _FOREIGN_SITES


def _netloc(url: str) -> str | None:
    """Returns the host and port of a URL as they are written, or None if it is no URL."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
