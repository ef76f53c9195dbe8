"""Parses the headers of Kafka's frames, to tell which request an answer belongs to.

Every message begins with its length. In a request, API key, version, correlation id and client id follow; in an answer,
the correlation id of its request. Source: Apache Kafka, the protocol guide, "Request Header" v1 and v2.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

LENGTH = Struct(">i")
_REQUEST = Struct(">hhih")
_CORRELATION = Struct(">i")


class Api(IntEnum):
    """The API keys of the requests that the product's clients send, and of those between brokers that tests lose."""

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
    WRITE_TXN_MARKERS = 27
    TXN_OFFSET_COMMIT = 28


class Request(NamedTuple):
    """The parsed header of a request."""

    api: int
    """The API key, which need not be one of `Api`."""
    correlation: int
    client: bytes


def read_request(frame: bytes) -> Request:
    """Parses the header of a request, from a frame without its length. Raises struct.error if it is too short."""
    api, _, correlation, length = _REQUEST.unpack_from(frame)
    return Request(api, correlation, frame[_REQUEST.size : _REQUEST.size + max(length, 0)])


def read_correlation(frame: bytes) -> int:
    """Parses an answer's correlation id, from a frame without its length. Raises struct.error if it is too short."""
    correlation: int = _CORRELATION.unpack_from(frame)[0]
    return correlation


def name_of(api: int) -> str:
    """Returns the name of a request in Kafka's documentation, such as `ListOffsets`."""
    try:
        return Api(api).name.title().replace("_", "")
    except ValueError:
        return f"request {api}"
