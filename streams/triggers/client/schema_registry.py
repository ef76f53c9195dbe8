"""A Confluent-compatible schema registry, read over HTTP."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from triggers.codec import Reason
from triggers.errors import SettingsError, TryAgain, Undecodable
from triggers.kafka.bounded_call import Hung, call_within

_REMEMBERED_S = 60.0
_MOST_REMEMBERED = 10_000
_TIMEOUT_S = 3.0
"""A worker does nothing else meanwhile."""


class _Registered(Struct):
    schema: str
    schemaType: str = "AVRO"  # noqa: N815  # the registry's name
    references: list[object] = []


class _Refusal(NamedTuple):
    until: float
    error: Undecodable


class SchemaRegistry:
    """Fetches schemas by id. One of no use is asked for once a minute; the others are the caller's to keep."""

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S, now: Callable[[], float] = time.monotonic) -> None:
        """`url` may hold `user:password@` for basic authentication. Raises SettingsError for one that is none."""
        self._url, self._headers = _without_credentials(url)
        self._timeout_s = timeout_s
        self._now = now
        self._refused: dict[int, _Refusal] = {}

    def schema(self, schema_id: int) -> str:
        """Text of the Avro schema. Blocks up to the timeout. Raises Undecodable, TryAgain."""
        refusal = self._refused.get(schema_id)
        if refusal is not None and self._now() < refusal.until:
            raise Undecodable(refusal.error.reason, refusal.error.detail)
        try:
            return self._ask(schema_id)
        except Undecodable as error:
            self._remember(schema_id, error)
            raise

    def _ask(self, schema_id: int) -> str:
        """Looking up a name knows no timeout, so the whole of it is bounded."""
        try:
            registered = call_within(self._timeout_s, lambda: self._fetch(schema_id))
        except Hung as error:
            raise TryAgain(f"schema registry {self._url}: no answer within {self._timeout_s:g} s") from error
        if registered.schemaType != "AVRO" or registered.references:
            detail = f"schema {schema_id} is {registered.schemaType}, with {len(registered.references)} references"
            raise Undecodable(Reason.INCOMPATIBLE_SCHEMA, f"{detail}; it must be Avro without any")
        return registered.schema

    def _fetch(self, schema_id: int) -> _Registered:
        request = urllib.request.Request(f"{self._url}/schemas/ids/{schema_id}", headers=self._headers)  # noqa: S310  # checked below
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310  # http or https
                return msgspec.json.decode(response.read(), type=_Registered)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                detail = f"schema registry {self._url} has no schema {schema_id}"
                raise Undecodable(Reason.UNKNOWN_SCHEMA, detail) from error
            raise TryAgain(f"schema registry {self._url}: HTTP {error.code}") from error
        except (OSError, HTTPException, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TryAgain(f"schema registry {self._url}: {error}") from error

    def _remember(self, schema_id: int, error: Undecodable) -> None:
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused[schema_id] = _Refusal(self._now() + _REMEMBERED_S, error)


def _without_credentials(url: str) -> tuple[str, dict[str, str]]:
    parts = _parts(url)
    headers = {"Accept": "application/vnd.schemaregistry.v1+json"}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), headers


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts
        problem = ""
    except ValueError as error:  # no number for a port, half a pair of brackets
        problem = f" ({error})"
    wanted = "http://host:port or https://host:port, with a path and user:password@ if need be"
    raise SettingsError(f"schema_registry_url (TRIGGERS_SCHEMA_REGISTRY_URL) is {url!r}, it must be {wanted}{problem}")
