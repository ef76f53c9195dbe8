"""The schemas are a public contract. They only grow, document every field and match the engine's classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import signature
from operator import itemgetter
from pathlib import Path
from typing import Any, get_args

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from fastavro.schema import fingerprint as independent_fingerprint
from fastavro.schema import to_parsing_canonical_form
from msgspec import NODEFAULT, structs

from triggers.codec import DeadLetter, DecisionRecord
from triggers.codec.avro_records import fingerprint, schema_folder, schema_versions
from triggers.core.commands import RunTask
from triggers.core.events import Event, SessionEvent

NAMES = ["trigger_event", "task_command", "task_cancellation", "dead_letter", "decision"]
RELEASED = Path(__file__).with_name("released")
AVRO_TYPES = {
    "string": str,
    "bytes": bytes,
    "boolean": bool,
    "int": int,
    "long": int,
    ("null", "string"): str | None,
    ("null", "bytes"): bytes | None,
}


def current(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_versions(name)[0])
    return schema


def records(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for member in schema:
            yield from records(member)
    elif isinstance(schema, dict):
        if schema["type"] == "record":
            yield schema
        for child in (*(field["type"] for field in schema.get("fields", [])), schema.get("items")):
            yield from records(child)


def readable(reader: str, writer: str) -> bool:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro has no types
    result = checker.get_compatibility(avro.schema.parse(reader), avro.schema.parse(writer))
    return result.compatibility is SchemaCompatibilityType.compatible


@pytest.mark.parametrize("name", NAMES)
def test_records_of_the_first_release_can_be_read(name: str) -> None:
    released = (RELEASED / f"{name}.avsc").read_text()

    assert readable(reader=schema_versions(name)[0], writer=released)


@pytest.mark.parametrize("name", NAMES)
def test_every_released_version_is_kept_for_records_that_are_still_in_a_topic(name: str) -> None:
    released = {fingerprint(path.read_text()) for path in RELEASED.glob(f"{name}*.avsc")}

    assert released
    assert released <= {fingerprint(text) for text in schema_versions(name)}


@pytest.mark.parametrize("name", NAMES)
def test_released_fields_keep_their_position_name_and_type(name: str) -> None:
    now = {record["name"]: record["fields"] for record in records(current(name))}

    for record in records(json.loads((RELEASED / f"{name}.avsc").read_text())):
        kept = [(field["name"], kind_of(field)) for field in now[record["name"]]][: len(record["fields"])]
        assert kept == [(field["name"], kind_of(field)) for field in record["fields"]]


def kind_of(field: dict[str, Any]) -> str:
    """Returns the field's type. For a record or a union of records it returns only the kind, because members are
    compared separately."""
    return "records" if list(records(field["type"])) else json.dumps(field["type"])


@pytest.mark.parametrize("name", NAMES)
def test_every_record_and_field_has_a_doc(name: str) -> None:
    documented = [*records(current(name)), *(field for record in records(current(name)) for field in record["fields"])]

    assert [part["name"] for part in documented if len(part.get("doc", "")) < 5] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_field_added_after_the_first_release_has_a_default(name: str) -> None:
    released = {
        record["name"]: record["fields"] for record in records(json.loads((RELEASED / f"{name}.avsc").read_text()))
    }

    for record in records(current(name)):
        first = released.get(record["name"], record["fields"])
        assert all("default" in field for field in record["fields"][len(first) :])


def test_the_union_of_events_has_one_record_per_class_with_its_fields() -> None:
    union = next(field["type"] for field in current("trigger_event")["fields"] if field["name"] == "event")

    assert [record["name"] for record in union] == [event.__name__ for event in get_args(Event)]
    for record, event in zip(union, get_args(Event), strict=True):
        fields = class_fields(event, without=SessionEvent.__struct_fields__)
        # The schema has `actor` at the end, because it only grows; the class inherits it.
        assert sorted(python_fields(record), key=itemgetter(0)) == sorted(fields, key=itemgetter(0))


def test_a_command_and_a_dead_letter_have_the_fields_of_their_classes() -> None:
    letter = class_fields(DeadLetter, without=("headers",))

    assert python_fields(current("task_command")) == argument_fields(RunTask, without=("spans",))
    assert [field for field in python_fields(current("dead_letter")) if field[0] != "headers"] == letter


def test_a_decision_has_the_fields_of_its_class() -> None:
    schema = current("decision")["fields"]

    assert [field["name"] for field in schema] == list(DecisionRecord.__struct_fields__)
    assert [field["name"] for field in schema if "default" not in field] == [
        field.name for field in structs.fields(DecisionRecord) if field.required
    ]


def python_fields(record: dict[str, Any]) -> list[tuple[str, object, object]]:
    return [(field["name"], python_type(field["type"]), field.get("default", ...)) for field in record["fields"]]


def python_type(kind: object) -> object:
    if isinstance(kind, dict):
        return list[str] if (kind["type"], kind["items"]) == ("array", "string") else kind
    return AVRO_TYPES.get(tuple(kind) if isinstance(kind, list) else str(kind))


def class_fields(kind: type, without: tuple[str, ...] = ()) -> list[tuple[str, object, object]]:
    fields = [field for field in structs.fields(kind) if field.name not in without]
    return [(field.name, field.type, ... if field.required else avro_default(default_of(field))) for field in fields]


def argument_fields(kind: type, without: tuple[str, ...] = ()) -> list[tuple[str, object, object]]:
    arguments = [each for each in signature(kind, eval_str=True).parameters.values() if each.name not in without]
    return [
        (each.name, each.annotation, ... if each.default is each.empty else avro_default(each.default))
        for each in arguments
    ]


def default_of(field: structs.FieldInfo) -> object:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def avro_default(default: object) -> object:
    return default.decode() if isinstance(default, bytes) else default


@pytest.mark.parametrize("name", NAMES)
def test_two_libraries_agree_on_the_fingerprint_and_the_readme_has_it(name: str) -> None:
    canonical = to_parsing_canonical_form(json.loads((RELEASED / f"{name}.avsc").read_text()))
    expected = independent_fingerprint(canonical, "CRC-64-AVRO")

    assert fingerprint((RELEASED / f"{name}.avsc").read_text()).hex() == expected
    assert f"`{bytes.fromhex(expected).hex(' ')}`" in (schema_folder() / "README.md").read_text()


def test_the_fingerprint_is_the_one_of_the_avro_specification() -> None:
    assert fingerprint('"null"') == (0x63DD24E7CC258F8A).to_bytes(8, "little")
