"""Confluent framing: a byte `00`, the schema's id in a registry (4 bytes, big-endian) and an Avro record.

The writer's schema must be compatible with `TriggerEvent`: a record whose field `event` is a union of some of its
events. It may have further fields of bounded size.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException

from triggers.codec.avro_records import Record, Schema, parsed, read_record
from triggers.codec.reasons import Reason
from triggers.errors import Undecodable

FRAME_BYTES = 5
_FRAME = b"\0"


class SchemaSource(Protocol):
    """Looks up schemas in a schema registry."""

    def schema(self, schema_id: int) -> str:
        """Returns the text of an Avro schema. It may block. Results are cached: an id is looked up once per process.

        Raises Undecodable if the registry has no such Avro schema, and TryAgain if it does not answer.
        """


class ConfluentRecords:
    """Decodes framed records into records of one of our schemas."""

    def __init__(self, reader: str, registry: SchemaSource | None) -> None:
        self._reader_text = reader
        self._reader = parsed(reader)
        self._registry = registry
        self._writers: dict[int, Schema | Undecodable] = {}

    def decode(self, value: bytes) -> Record:
        """Decodes a record. Raises Undecodable, or TryAgain if the registry does not answer."""
        if self._registry is None:
            detail = "the event is in Confluent framing; set schema_registry_url (TRIGGERS_SCHEMA_REGISTRY_URL)"
            raise Undecodable(Reason.NO_REGISTRY, detail)
        if len(value) < FRAME_BYTES:
            raise Undecodable(Reason.BAD_AVRO, "truncated in the schema id")
        writer = self._writer(int.from_bytes(value[1:FRAME_BYTES], "big"), self._registry)
        return read_record(value, FRAME_BYTES, writer, self._reader)

    def _writer(self, schema_id: int, registry: SchemaSource) -> Schema:
        writer = self._writers.get(schema_id)
        if writer is None:
            text = registry.schema(schema_id)
            writer = self._writers[schema_id] = self._compatible(schema_id, text)
        if isinstance(writer, Undecodable):
            raise Undecodable(writer.reason, writer.detail)
        return writer

    def _compatible(self, schema_id: int, text: str) -> Schema | Undecodable:
        try:
            plain = json.dumps(json.loads(text, object_hook=_without_logical_type))
            problem = _problem(avro.schema.parse(plain), avro.schema.parse(self._reader_text))
            if not problem:
                return parsed(plain)
        except (AvroException, ValueError, RecursionError) as error:
            problem = str(error)
        return Undecodable(Reason.INCOMPATIBLE_SCHEMA, f"schema {schema_id}: {problem}")


def is_framed(value: bytes) -> bool:
    """Returns whether the value begins like Confluent framing."""
    return value.startswith(_FRAME)


def _without_logical_type(node: dict[str, Any]) -> dict[str, Any]:
    """Removes logical types, because our fields are plain numbers and fastavro would return dates."""
    node.pop("logicalType", None)
    return node


def _problem(writer: avro.schema.Schema, reader: avro.schema.Schema) -> str:
    if unbounded := _unbounded(writer, ()):
        return f"it contains {unbounded}, of which a few bytes could keep a worker busy forever"
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro leaves it unannotated
    result = checker.get_compatibility(reader, writer)
    if result.compatibility is not SchemaCompatibilityType.compatible:
        return "; ".join(sorted(result.messages))
    return "" if _has_union(writer) else "its field `event` must be a union of records"


def _unbounded(schema: avro.schema.Schema, enclosing: tuple[avro.schema.Schema, ...]) -> str:
    if any(schema is outer for outer in enclosing):
        return "a recursive type"
    if isinstance(schema, avro.schema.ArraySchema):
        return "" if schema.items.type == "string" else "an array"  # each string of an array takes a byte of the data
    if isinstance(schema, avro.schema.MapSchema):
        return "a map"
    problems = (_unbounded(member, (*enclosing, schema)) for member in _members(schema))
    return next(filter(None, problems), "")


def _members(schema: avro.schema.Schema) -> list[avro.schema.Schema]:
    if isinstance(schema, avro.schema.RecordSchema):
        return [field.type for field in schema.fields]
    return list(schema.schemas) if isinstance(schema, avro.schema.UnionSchema) else []


def _has_union(writer: avro.schema.Schema) -> bool:
    fields = writer.fields if isinstance(writer, avro.schema.RecordSchema) else []
    return any(field.name == "event" and isinstance(field.type, avro.schema.UnionSchema) for field in fields)
