"""A minimal HTTP/1.1 client, so that a load generator takes little of the machine from the server that it measures."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, cast

from typing_extensions import override

_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class HttpAnswer(NamedTuple):
    """A response."""

    status: int
    head: bytes
    """Status line and headers, in lower case."""
    body: bytes


class HttpConnection(asyncio.Protocol):
    """A connection that is kept alive, with one request at a time. Responses must have a Content-Length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[HttpAnswer] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END_OF_HEAD)
        if not end or self._answer is None:
            return
        head = head.lower()
        length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._received = body[length:]
            self._answer.set_result(HttpAnswer(int(head[9:12]), head, body[:length]))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    async def request(self, request: bytes) -> HttpAnswer:
        """Sends a request and returns its response. Raises OSError if the connection is lost."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Closes the connection. Idempotent."""
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> HttpConnection:
    """Connects to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(HttpConnection, "127.0.0.1", port)
    return connection


def get(path: str) -> bytes:
    """Returns a request that reads a path."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


def post(path: bytes, body: bytes, kind: bytes, key: bytes) -> bytes:
    """Returns a request with a body of a media type and an Idempotency-Key."""
    head = (
        b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: %s\r\nidempotency-key: %s\r\ncontent-length: %d\r\n\r\n"
    )
    return head % (path, kind, key, len(body)) + body
