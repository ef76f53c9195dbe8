"""Asks a broker which versions of each request it supports. librdkafka knows them but does not expose them.

A broker answers this request before a client has authenticated.
"""

from __future__ import annotations

import socket
import struct
from typing import Final, NamedTuple

from triggers.kafka.tls_trial import open_connection
from triggers.settings import Settings

FETCH: Final = 1
TXN_OFFSET_COMMIT: Final = 28
_API_VERSIONS: Final = 18
_REQUEST: Final = struct.pack(">hhih", _API_VERSIONS, 0, 0, -1)
"""Key and version of the request, a correlation id, and no client id."""
_HEADER: Final = struct.Struct(">ihi")
"""Correlation id, error code and number of entries."""
_ENTRY: Final = struct.Struct(">hhh")
_MAX_BYTES: Final = 65_536


class Versions(NamedTuple):
    """The oldest and the newest supported version of a request."""

    oldest: int
    newest: int


_NONE: Final = Versions(-1, -1)


class ApiVersions(dict[int, Versions]):
    """Key of a request -> its versions. A request that the broker does not know has versions below 0."""

    def __missing__(self, key: int) -> Versions:
        return _NONE


def fetch_api_versions(settings: Settings) -> ApiVersions | None:
    """Returns what the first broker supports, or None if it does not answer in a way that we know. Blocks."""
    try:
        with open_connection(settings) as connection:
            connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            (size,) = struct.unpack(">i", _receive(connection, 4))
            return _decode(_receive(connection, size))
    except (OSError, ValueError, struct.error):
        return None


def _receive(connection: socket.socket, size: int) -> bytes:
    """Returns exactly that many bytes. Raises OSError if the broker closes the connection before."""
    if not 0 <= size <= _MAX_BYTES:
        raise ValueError(f"an answer of {size} bytes")
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise OSError("the broker has closed the connection")
        received += part
    return received


def _decode(answer: bytes) -> ApiVersions:
    _, error, count = _HEADER.unpack_from(answer)
    if error:
        raise ValueError(f"error {error}")
    entries = (_ENTRY.unpack_from(answer, _HEADER.size + index * _ENTRY.size) for index in range(count))
    return ApiVersions({key: Versions(oldest, newest) for key, oldest, newest in entries})
