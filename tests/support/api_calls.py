"""A valid call of every operation of the HTTP API, made from the examples of its document."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.docs.openapi_document import FILE


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request with the examples of the document."""

    id: str
    method: str
    path: str
    scope: str | None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def documented_calls() -> list[ApiCall]:
    """Returns a call for each operation and each media type of its body."""
    document = json.loads(FILE.read_text())
    return [
        call
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for call in _calls_of(path, method, operation)
    ]


def _calls_of(path: str, method: str, operation: dict[str, Any]) -> list[ApiCall]:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(str(parameter["example"]), safe=""))
    scope = operation["security"][0]["bearer"][0] if operation["security"] else None
    media = operation.get("requestBody", {}).get("content", {})
    if not media:
        return [ApiCall(operation["operationId"], method.upper(), path, scope)]
    return [
        ApiCall(f"{operation['operationId']} {name}", method.upper(), path, scope, {"content-type": name}, _body(each))
        for name, each in media.items()
    ]


def _body(media: dict[str, Any]) -> bytes:
    example = media["example"]
    return example.encode() if isinstance(example, str) else json.dumps(example).encode()
