"""schemas/openapi.json says what the operations of the HTTP API say, and is complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.docs.openapi_document import FILE, document_text

DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_the_document_is_current() -> None:
    assert FILE.read_text() == document_text(), "run `python -m tests.docs.openapi_document`"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_has_a_summary_an_answer_and_its_problems(operation: dict[str, Any]) -> None:
    responses = operation["responses"]

    assert operation["summary"].endswith(".")
    assert any(status.startswith("2") for status in responses)
    assert {"400", "500"} <= responses.keys()
    assert not operation["security"] or {"401", "403", "429"} <= responses.keys()
    assert not operation["security"] or "The token needs the scope" in operation["description"]


def test_every_parameter_and_every_body_has_an_example() -> None:
    without = [
        f"{name}: {part.get('name', 'body')}"
        for name, operation in OPERATIONS.items()
        for part in (*operation.get("parameters", []), *operation.get("requestBody", {}).get("content", {}).values())
        if part.get("example") is None
    ]

    assert without == []


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    assert [reference for reference in _references(DOCUMENT) if not _is_there(reference)] == []


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for child in part.values():
            yield from _references(child)
    elif isinstance(part, list):
        for child in part:
            yield from _references(child)


def _is_there(reference: str) -> bool:
    part: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        part = part.get(name) if isinstance(part, dict) else None
    return part is not None
