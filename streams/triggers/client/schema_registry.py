"""A Confluent-compatible schema registry, read over HTTP."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from triggers.codec import Reason
from triggers.errors import SettingsError, TryAgain, Undecodable

_REMEMBER_UNKNOWN_S = 60.0
_MOST_UNKNOWN = 10_000


class _Registered(Struct):
    schema: str
    schemaType: str = "AVRO"  # noqa: N815  # the registry's name
    references: list[object] = []


class SchemaRegistry:
    """Fetches schemas by id. An unknown id is asked for once a minute at most; known ones are the caller's to keep."""

    def __init__(self, url: str, timeout_s: float = 5.0, now: Callable[[], float] = time.monotonic) -> None:
        """`url` may hold `user:password@` for basic authentication. Raises SettingsError for one that is none."""
        self._url, self._headers = _without_credentials(url)
        self._timeout_s = timeout_s
        self._now = now
        self._unknown: dict[int, float] = {}

    def schema(self, schema_id: int) -> str:
        """Text of the Avro schema. Blocks up to the timeout. Raises Undecodable, TryAgain."""
        if self._now() < self._unknown.get(schema_id, 0):
            raise _unknown(schema_id)
        registered = self._fetch(schema_id)
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
                self._remember(schema_id)
                raise _unknown(schema_id) from error
            raise TryAgain(f"schema registry {self._url}: HTTP {error.code}") from error
        except (OSError, msgspec.DecodeError) as error:
            raise TryAgain(f"schema registry {self._url}: {error}") from error

    def _remember(self, schema_id: int) -> None:
        if len(self._unknown) >= _MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[schema_id] = self._now() + _REMEMBER_UNKNOWN_S


def _unknown(schema_id: int) -> Undecodable:
    return Undecodable(Reason.UNKNOWN_SCHEMA, f"the registry has no schema {schema_id}")


def _without_credentials(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"schema_registry_url must be http://… or https://…, it is {url!r}")
    headers = {"Accept": "application/vnd.schemaregistry.v1+json"}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), headers
