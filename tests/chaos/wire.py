"""Kafka's frames on a connection: how long each one is, and which request an answer belongs to.

Every message begins with its length. A request goes on with its API key, version, correlation id and client id; an
answer with the correlation id of its request. Source: Apache Kafka, the protocol guide, "Request Header" v1 and v2.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

LENGTH = Struct(">i")
_REQUEST = Struct(">hhih")
_CORRELATION = Struct(">i")


class Api(IntEnum):
    """API keys of the requests that the product's clients send."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class Request(NamedTuple):
    """What is told of a request."""

    api: int
    """An `Api`, or another key that Kafka knows."""
    correlation: int
    client: bytes


def read_request(frame: bytes) -> Request:
    """The header of a request; the frame is without its length. Raises struct.error when it is too short."""
    api, _, correlation, length = _REQUEST.unpack_from(frame)
    return Request(api, correlation, frame[_REQUEST.size : _REQUEST.size + max(length, 0)])


def read_correlation(frame: bytes) -> int:
    """Which request an answer belongs to; the frame is without its length. Raises struct.error."""
    correlation: int = _CORRELATION.unpack_from(frame)[0]
    return correlation


def name_of(api: int) -> str:
    """The name of a request as Kafka's documentation has it, such as `ListOffsets`."""
    try:
        return Api(api).name.title().replace("_", "")
    except ValueError:
        return f"request {api}"
