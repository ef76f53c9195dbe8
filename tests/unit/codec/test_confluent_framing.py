"""Records in Confluent framing are decoded with a registry in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from tests.support.memory_registry import MemoryRegistry

from triggers.codec import EventDecoder, Reason
from triggers.codec.avro_records import schema_versions
from triggers.core.events import Event, TriggerFired
from triggers.errors import BrokerUnavailable, TryAgain, Undecodable

CURRENT: dict[str, Any] = json.loads(schema_versions("trigger_event")[0])
FIRE = {"trigger": "t", "kwargs": b'{"a": 1}'}
NO_EVENTS_LEFT = {"type": "record", "name": "Other", "fields": [{"name": "x", "type": "int"}]}


def own_schema(*changes: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json.dumps(CURRENT))
    for change in changes:
        change(schema)
    return schema


def framed(schema: dict[str, Any], record: dict[str, Any], schema_id: int = 1) -> bytes:
    stream = BytesIO()
    stream.write(b"\0" + schema_id.to_bytes(4, "big"))
    schemaless_writer(stream, parse_schema(schema), record)
    return stream.getvalue()


def decode(value: bytes, registry: MemoryRegistry | None) -> Event:
    return EventDecoder(1000, registry).decode(value, None, position=7, time=5)


def refusal(value: bytes, registry: MemoryRegistry | None) -> Undecodable:
    with pytest.raises(Undecodable) as caught:
        decode(value, registry)
    return caught.value


def test_a_record_of_our_own_schema_is_decoded_and_its_schema_fetched_once() -> None:
    schema, registry = own_schema(), MemoryRegistry(id1=CURRENT)
    value = framed(schema, {"id": "a1", "time": 9, "source": "", "event": ("triggers.TriggerFired", FIRE), "rules": ""})

    events = [decode(value, registry), EventDecoder(1000, registry).decode(value, None, 7, 5)]
    decoder = EventDecoder(1000, registry)
    lookups = registry.lookups
    again = [decoder.decode(value, None, 7, 5) for _ in range(3)]

    assert (
        events + again == [TriggerFired(position=7, time=9, recorded=5, id="a1", trigger="t", kwargs=b'{"a": 1}')] * 5
    )
    assert registry.lookups == lookups + 1


def test_an_older_and_richer_schema_is_resolved_into_ours() -> None:
    def change(schema: dict[str, Any]) -> None:
        _, time, _, event, _ = schema["fields"]
        time["type"] = {"type": "long", "logicalType": "timestamp-millis"}
        event["type"] = [event["type"][8], event["type"][0]]
        schema["fields"] = [{"name": "region", "type": ["null", "string"], "default": None}, event, time]

    schema = own_schema(change)
    value = framed(schema, {"region": "eu", "time": 1234, "event": ("triggers.TriggerFired", FIRE)})

    assert decode(value, MemoryRegistry(id1=schema)) == TriggerFired(
        position=7, time=1234, recorded=5, trigger="t", kwargs=b'{"a": 1}'
    )


def test_without_a_registry_the_refusal_names_the_setting() -> None:
    error = refusal(b"\0\0\0\0\1x", None)

    assert error.reason == Reason.NO_REGISTRY
    assert "TRIGGERS_SCHEMA_REGISTRY_URL" in error.detail


def test_an_id_that_the_registry_does_not_know_is_an_unknown_schema() -> None:
    assert refusal(b"\0\0\0\0\2x", MemoryRegistry()).reason == Reason.UNKNOWN_SCHEMA


def test_a_registry_that_does_not_answer_is_no_reason_to_dead_letter_the_event() -> None:
    class Away:
        def schema(self, schema_id: int) -> str:
            raise BrokerUnavailable(f"the registry does not answer for {schema_id}")

    with pytest.raises(TryAgain):
        EventDecoder(1000, Away()).decode(b"\0\0\0\0\1x", None, 7, 5)


def _array(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "more", "type": {"type": "array", "items": "null"}})


def _map(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "more", "type": {"type": "map", "values": "string"}})


def _recursive(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "more", "type": ["null", "TriggerEvent"]})


def _single_event(schema: dict[str, Any]) -> None:
    event = next(field for field in schema["fields"] if field["name"] == "event")
    event["type"] = event["type"][0]


def _retyped(schema: dict[str, Any]) -> None:
    schema["fields"][0]["type"] = "double"


def test_an_array_of_strings_is_no_danger_because_each_of_them_takes_a_byte() -> None:
    def change(schema: dict[str, Any]) -> None:
        schema["fields"].append({"name": "more", "type": {"type": "array", "items": "string"}})

    schema = own_schema(change)
    fields = {"id": "", "time": 9, "source": "", "event": ("triggers.TriggerFired", FIRE), "rules": "", "more": ["a"]}

    assert decode(framed(schema, fields), MemoryRegistry(id1=schema)).time == 9


@pytest.mark.parametrize(
    "schema",
    [own_schema(change) for change in (_array, _map, _recursive, _single_event, _retyped)]
    + [NO_EVENTS_LEFT, "string", {"type": "nonsense"}, 7],
)
def test_a_schema_that_cannot_become_ours_is_refused_each_time_with_one_look_up(schema: object) -> None:
    registry = MemoryRegistry(id1=schema)
    decoder = EventDecoder(1000, registry)

    for _ in range(2):
        with pytest.raises(Undecodable) as caught:
            decoder.decode(b"\0\0\0\0\1\0\0\0\0\0\0", None, 7, 5)
        assert caught.value.reason == Reason.INCOMPATIBLE_SCHEMA
        assert caught.value.detail.startswith("schema 1: ")

    assert registry.lookups == 1


def test_a_schema_nested_without_end_is_refused() -> None:
    class Nested:
        def schema(self, schema_id: int) -> str:
            return "[" * (100_000 + schema_id)

    with pytest.raises(Undecodable) as caught:
        EventDecoder(1000, Nested()).decode(b"\0\0\0\0\1x", None, 7, 5)

    assert caught.value.reason == Reason.INCOMPATIBLE_SCHEMA


@pytest.mark.parametrize("cut", [1, 3, 5, 6, 10])
def test_a_truncated_record_is_refused(cut: int) -> None:
    value = framed(own_schema(), {"id": "a1", "event": ("triggers.TriggerFired", FIRE)})

    assert refusal(value[:cut], MemoryRegistry(id1=CURRENT)).reason == Reason.BAD_AVRO
