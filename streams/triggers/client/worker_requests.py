"""Sends requests to the HTTP servers of the workers, with the token of the installation."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from triggers.client.read_tokens import token_headers
from triggers.codec.typed_json import decode_typed
from triggers.errors import CallError, NotPermitted, OwnerUnavailable, SessionNotFound
from triggers.settings import Settings

T = TypeVar("T")

RELAYED: Final = "X-Triggers-Relayed"
"""Header of a request that a worker has relayed. It is not relayed again."""


class WorkerResponse(NamedTuple):
    """The response of a worker."""

    status: int
    body: bytes


class _Refused(Struct):
    error: str


class WorkerRequests:
    """Sends requests to workers. Thread-safe. Every request has its own connection, without proxy or redirects."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, url: str, path: str, timeout_s: float, headers: Mapping[str, str] | None = None) -> WorkerResponse:
        """Requests a path. Raises OwnerUnavailable if the worker does not answer, and SettingsError."""
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        sent = token_headers(self._settings) | dict(headers or {})
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        try:
            connection.request("GET", parts.path.rstrip("/") + path, headers=sent)
            response = connection.getresponse()
            return WorkerResponse(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise OwnerUnavailable(f"worker {url} does not answer: {error}") from error
        finally:
            connection.close()


def decode_answer(answer: WorkerResponse, url: str, kind: type[T]) -> T:
    """Returns the decoded body of a worker's response. Raises the error that corresponds to its status."""
    try:
        if answer.status == http.client.OK:
            return decode_typed(answer.body, kind)
        why = decode_typed(answer.body, _Refused).error
    except msgspec.DecodeError as error:
        raise OwnerUnavailable(f"{url} is not a worker of this version: HTTP {answer.status}, {error}") from error
    if answer.status == http.client.NOT_FOUND:
        raise SessionNotFound(why)
    if answer.status == http.client.BAD_REQUEST:
        raise CallError(why)
    if answer.status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        raise NotPermitted(f"worker {url}: {why}")
    raise OwnerUnavailable(f"worker {url}: {why}")
