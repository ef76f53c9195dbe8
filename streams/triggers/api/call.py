"""`Call`: a request as an operation sees it, with its principal. Its methods raise problems for invalid parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from triggers.api.identity import Principal
from triggers.api.parameters import Parameter, QueryParameter
from triggers.api.problems import Kind, ProblemError
from triggers.codec.json_payloads import check_json
from triggers.codec.typed_json import decode_typed
from triggers.errors import Undecodable

T = TypeVar("T")

_DOTS: Final = {".;": ".", "..;": ".."}
"""How the names `.` and `..` are written, because clients resolve these segments even if they are percent-encoded."""
_MAX_QUERY_PARAMETERS: Final = 50
_NO_BODY: Final = b"{}"


class BodyLimits(Struct, frozen=True):
    """The limits of a body."""

    max_bytes: int
    timeout_s: float
    """Time in which the whole body must have arrived."""


class Call:
    """One request. Not thread-safe."""

    def __init__(self, request: Request, request_id: str, limits: BodyLimits, charge: Callable[[int], None]) -> None:
        """`charge` counts that many events against the rate of the principal. It raises a problem beyond the rate."""
        self._request = request
        self._limits = limits
        self.charge: Final = charge
        self.request_id: Final = request_id
        self.principal: Principal
        self._query: dict[str, str] = {}

    @property
    def headers(self) -> Headers:
        """The headers of the request; names are compared without regard to case."""
        return self._request.headers

    @property
    def event_id(self) -> str | None:
        """The `Idempotency-Key`, which becomes the id of an event that has none. Quotes around it are removed."""
        values = self.headers.getlist("idempotency-key")
        if not values:
            return None
        key = values[0]
        if len(key) >= 2 and key[0] == key[-1] == '"':
            key = key[1:-1]
        if len(values) > 1 or not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
            raise ProblemError(
                Kind.INVALID_REQUEST, "Idempotency-Key must be one value of 1 to 255 printable ASCII characters"
            )
        return key

    def name(self, parameter: str) -> str:
        """Returns a name in the path. It may be any text: it was percent-encoded as UTF-8, even its slashes."""
        segment: str = self._request.path_params[parameter]
        if segment in _DOTS:
            return _DOTS[segment]
        return _utf8(unquote_to_bytes(segment), parameter)

    def number(self, parameter: Parameter) -> int:
        """Returns a whole number in the path."""
        text = self.name(parameter.name)
        largest = parameter.schema["maximum"]
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= largest):
            detail = f"{parameter.name} is {text!r:.100}; it must be from 0 to {largest}"
            raise ProblemError(Kind.INVALID_REQUEST, detail)
        return int(text)

    def read_query(self, declared: Collection[QueryParameter[object]]) -> None:
        """Reads the query. A parameter that is not declared, or is repeated, is refused instead of ignored."""
        text = self._request.scope["query_string"]
        if not text:
            return
        known = {parameter.name for parameter in declared}
        for name, value in _pairs(text):
            if name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise ProblemError(Kind.INVALID_REQUEST, f"there is no parameter {name!r:.100}; known are: {names}")
            if name in self._query:
                raise ProblemError(Kind.INVALID_REQUEST, f"the parameter {name} is repeated")
            self._query[name] = value

    def query(self, parameter: QueryParameter[T]) -> T:
        """Returns the value of a parameter of the query, or its default."""
        text = self._query.get(parameter.name)
        if text is None:
            return parameter.default
        try:
            return parameter.parse(text)
        except (ValueError, OverflowError) as error:
            raise ProblemError(Kind.INVALID_REQUEST, f"{parameter.name} is {text!r:.100}: {error}") from error

    async def read_body(self) -> bytes:
        """Reads the body within its limits, also if it is sent in chunks or slowly. A compressed one is refused."""
        encoding = self.headers.get("content-encoding", "identity")
        if encoding.strip().lower() not in ("", "identity"):
            detail = f"Content-Encoding is {encoding!r:.100}; send the body as it is, without compressing it"
            raise ProblemError(Kind.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "identity"})
        return await read_body(self._request, self._limits)

    async def read_json(self) -> bytes:
        """Reads a body that must be JSON. A body without content is an empty object."""
        body = await self.read_body()
        if not body:
            return _NO_BODY
        if media_type(self.headers) not in ("application/json", "text/json"):
            raise unsupported(self.headers, "application/json")
        return body

    async def read(self, kind: type[T]) -> T:
        """Reads a JSON body of this class. Unknown and repeated members are refused, because one may be misspelt."""
        body = await self.read_json()
        try:
            check_json(body, "the body")
            return decode_typed(body, kind)
        except Undecodable as error:
            raise ProblemError(Kind.INVALID_REQUEST, error.detail) from error
        except msgspec.ValidationError as error:
            raise ProblemError(Kind.INVALID_REQUEST, f"the body: {error}") from error


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """Reads the body of a request within its limits. Raises a problem for one that is too large or too slow."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limits.max_bytes:
        raise _too_large(limits.max_bytes)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(limits.timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.max_bytes:
                    raise _too_large(limits.max_bytes)
                chunks.append(chunk)
    except TimeoutError as error:
        detail = f"the body must arrive within {limits.timeout_s:g} s"
        raise ProblemError(Kind.BODY_TIMEOUT, detail, headers=_CLOSE) from error
    except ClientDisconnect as error:
        raise ProblemError(Kind.INVALID_REQUEST, "the client disconnected before the end of the body") from error
    return b"".join(chunks)


_CLOSE: Final = {"Connection": "close"}
"""The rest of the body is not read, so the connection cannot be used again."""


def media_type(headers: Headers) -> str:
    """Returns the media type of the body without parameters, in lower case, or empty text."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def unsupported(headers: Headers, *supported: str) -> ProblemError:
    """Returns the problem of a body whose media type is not one of those that are supported."""
    content_type = headers.get("content-type")
    wrong = "the request has no Content-Type" if content_type is None else f"Content-Type is {content_type!r:.100}"
    return ProblemError(Kind.UNSUPPORTED_MEDIA_TYPE, f"{wrong}; send {' or '.join(supported)}")


def _too_large(limit: int) -> ProblemError:
    detail = f"the body must have at most {limit} bytes; TRIGGERS_API_MAX_BODY_BYTES is the limit"
    return ProblemError(Kind.TOO_LARGE, detail, headers=_CLOSE)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_QUERY_PARAMETERS,
        )
    except ValueError as error:
        raise ProblemError(
            Kind.INVALID_REQUEST, "the query must be name=value pairs in percent-encoded UTF-8"
        ) from error


def _utf8(data: bytes, parameter: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProblemError(Kind.INVALID_REQUEST, f"{parameter} in the path is not UTF-8: {error.reason}") from error
