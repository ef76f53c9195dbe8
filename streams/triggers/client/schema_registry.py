"""`SchemaRegistry`: fetches schemas from a Confluent-compatible schema registry over HTTP."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import msgspec
from msgspec import Struct, field

from triggers.codec import EventDecoder, Reason
from triggers.codec.typed_json import decode_typed
from triggers.errors import SettingsError, TryAgain, Undecodable
from triggers.kafka.bounded_call import CallHung, call_within
from triggers.redaction import without_secrets
from triggers.settings import Settings

_REMEMBERED_S = 60.0
_MAX_REMEMBERED = 10_000
_UNKNOWN_SCHEMA = 40403
"""The registry's error code for an unknown schema id."""
_TIMEOUT_S = 3.0
"""A worker is blocked while it waits for the registry."""


class _Registered(Struct):
    schema: str
    schema_type: str = field(default="AVRO", name="schemaType")
    references: list[object] = []


class _Problem(Struct):
    error_code: int


class _Refusal(NamedTuple):
    until: float
    error: Undecodable


class SchemaRegistry:
    """Fetches schemas by their ids.

    It does not cache schemas; the caller does. It remembers for a minute which ids are unknown or unusable.
    """

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S, now: Callable[[], float] = time.monotonic) -> None:
        """`url` may contain `user:password@` for basic authentication. Raises SettingsError for an invalid URL."""
        self._url, self._headers = _without_credentials(url)
        self._timeout_s = timeout_s
        self._now = now
        self._refused: dict[int, _Refusal] = {}

    def schema(self, schema_id: int) -> str:
        """Returns the text of an Avro schema. Blocks for at most the timeout.

        Raises Undecodable for an unknown or unusable schema, and TryAgain if the registry does not answer.
        """
        refusal = self._refused.get(schema_id)
        if refusal is not None and self._now() < refusal.until:
            raise Undecodable(refusal.error.reason, refusal.error.detail)
        try:
            return self._ask(schema_id)
        except Undecodable as error:
            self._remember(schema_id, error)
            raise

    def _ask(self, schema_id: int) -> str:
        """Limits the time of the whole request, because resolving a host name has no timeout."""
        try:
            registered = call_within(self._timeout_s, lambda: self._fetch(schema_id))
        except CallHung as error:
            raise TryAgain(f"schema registry {self._url}: no answer within {self._timeout_s:g} s") from error
        if registered.schema_type != "AVRO" or registered.references:
            detail = f"schema {schema_id} is {registered.schema_type}, with {len(registered.references)} references"
            raise Undecodable(Reason.INCOMPATIBLE_SCHEMA, f"{detail}; it must be Avro without references")
        return registered.schema

    def _fetch(self, schema_id: int) -> _Registered:
        request = urllib.request.Request(f"{self._url}/schemas/ids/{schema_id}", headers=self._headers)  # noqa: S310  # checked below
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310  # http or https
                return decode_typed(response.read(), _Registered)
        except urllib.error.HTTPError as error:
            if _is_unknown_schema(error):
                detail = f"schema registry {self._url} has no schema {schema_id}"
                raise Undecodable(Reason.UNKNOWN_SCHEMA, detail) from error
            raise TryAgain(f"schema registry {self._url}: HTTP {error.code}") from error
        except (OSError, HTTPException, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TryAgain(f"schema registry {self._url}: {without_secrets(str(error))}") from error

    def _remember(self, schema_id: int, error: Undecodable) -> None:
        if len(self._refused) >= _MAX_REMEMBERED:
            self._refused.clear()
        self._refused[schema_id] = _Refusal(self._now() + _REMEMBERED_S, error)


def _is_unknown_schema(error: urllib.error.HTTPError) -> bool:
    """Returns whether the registry says that the schema is unknown.

    A 404 without its error code comes from a proxy, or from a registry that is starting, and proves nothing.
    """
    with error:
        try:
            problem = decode_typed(error.read(), _Problem)
        except (OSError, HTTPException, msgspec.DecodeError):
            return False
    return error.code == HTTPStatus.NOT_FOUND and problem.error_code == _UNKNOWN_SCHEMA


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
    except ValueError:  # such as a port that is not a number; the text of the error may contain a part of the password
        pass
    wanted = "http://host:port or https://host:port, optionally with a path and user:password@"
    encoded = f"; percent-encode user and password ({quote('/', safe='')} for /)" if "@" in url else ""
    shown = without_secrets(url)
    raise SettingsError(
        f"schema_registry_url (TRIGGERS_SCHEMA_REGISTRY_URL) is {shown!r}, but it must be {wanted}{encoded}"
    )


def event_decoder(settings: Settings) -> EventDecoder:
    """Returns a decoder that uses the schema registry of the settings, if there is one.

    Raises SettingsError for an invalid URL.
    """
    url = settings.schema_registry_url
    return EventDecoder(settings.max_payload_bytes, SchemaRegistry(url) if url else None)
