"""The registry in memory answers like the client of a schema registry."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.support.memory_registry import MemoryRegistry
from tests.unit.client.http_server import serving

from triggers.client import SchemaRegistry
from triggers.codec import Reason
from triggers.codec.confluent_framing import SchemaSource
from triggers.errors import Undecodable

SCHEMA = {"type": "string"}


class SchemaSourceSuite:
    """Tests of the port. A subclass has a fixture `source` with `SCHEMA` under the id 7."""

    def test_a_schema_is_returned_as_its_text(self, source: SchemaSource) -> None:
        assert [json.loads(source.schema(7)) for _ in range(2)] == [SCHEMA, SCHEMA]

    def test_an_unknown_id_is_refused_and_the_others_are_not(self, source: SchemaSource) -> None:
        for _ in range(2):
            with pytest.raises(Undecodable) as caught:
                source.schema(8)
            assert caught.value.reason == Reason.UNKNOWN_SCHEMA

        assert json.loads(source.schema(7)) == SCHEMA


class TestSchemasInMemory(SchemaSourceSuite):
    @pytest.fixture
    def source(self) -> SchemaSource:
        return MemoryRegistry(id7=SCHEMA)


class TestSchemasOfARegistry(SchemaSourceSuite):
    @pytest.fixture
    def source(self) -> Iterator[SchemaSource]:
        def answer(path: str) -> tuple[int, bytes]:
            if path.endswith("/7"):
                return 200, json.dumps({"schema": json.dumps(SCHEMA)}).encode()
            return 404, b'{"error_code": 40403}'

        with serving(answer) as site:
            yield SchemaRegistry(site.url)
