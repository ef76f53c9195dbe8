"""The proxies of a campaign parse the frames of Kafka's protocol."""

from __future__ import annotations

import struct

import pytest
from tests.chaos.wire import Api, Request, name_of, read_correlation, read_request


def request(api: int, correlation: int, client: bytes | None) -> bytes:
    header = struct.pack(">hhih", api, 7, correlation, -1 if client is None else len(client))
    return header + (client or b"") + b"the rest of the request"


def test_a_request_contains_its_kind_its_number_and_its_client() -> None:
    assert read_request(request(Api.LIST_OFFSETS, 41, b"worker-1@3")) == Request(2, 41, b"worker-1@3")


def test_a_client_without_a_name_has_none() -> None:
    assert read_request(request(Api.FETCH, 1, None)).client == b""


def test_an_answer_contains_the_number_of_its_request() -> None:
    assert read_correlation(struct.pack(">i", 41) + b"the answer") == 41


def test_bytes_that_are_not_a_request_are_refused() -> None:
    with pytest.raises(struct.error):
        read_request(b"GET /")


def test_requests_are_called_what_kafka_calls_them() -> None:
    assert name_of(Api.ADD_OFFSETS_TO_TXN) == "AddOffsetsToTxn"
    assert name_of(999) == "request 999"
