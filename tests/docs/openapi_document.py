"""Writes schemas/openapi.json, the OpenAPI document of the HTTP API: python -m tests.docs.openapi_document.

It is made of the operations, of which the API's routes are made as well.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from inspect import cleandoc
from itertools import pairwise
from typing import Any, Final

import msgspec
from tests.docs.code_names import PACKAGE, ROOT

from triggers.api.application import all_operations
from triggers.api.identity import Scope
from triggers.api.operations import DocumentedResponse, Operation
from triggers.api.parameters import QueryParameter, Schema
from triggers.api.problems import MEDIA_TYPE, Kind, Problem, phrase_of
from triggers.api.services import Services
from triggers.settings import Settings

FILE: Final = ROOT / "schemas" / "openapi.json"
_REFERENCE: Final = "#/components/schemas/{name}"
_TAGS: Final = {
    "fire": "Fire triggers. The answer comes when Kafka has acknowledged the events.",
    "sessions": "Read sessions from the workers that own them, and from their events.",
    "operate": "Change sessions as an operator. Each change is an event with its actor.",
    "jobs": "Change many sessions as an operator: everything that a filter finds.",
    "rules": "Published rules, which sessions take automatically.",
    "dead letters": "Records that could not be decoded or applied.",
    "monitoring": "Health, readiness and lag.",
}
_INTRODUCTION: Final = """Fire triggers, and read, explain and repair sessions of Triggers on Kafka.

Every error is a problem (RFC 9457, `application/problem+json`), whose `type` names its kind. Requests with the status
429 and 503 may be repeated after `Retry-After`; with an id or an `Idempotency-Key` that has no further effect. Every
response has an `X-Request-Id`, which is that of the request if it has one."""
_REQUEST_ID: Final[Schema] = {
    "X-Request-Id": {
        "description": "Id of the request, which the log of the server has as well.",
        "schema": {"type": "string"},
        "example": "b1d7b300505e9cf1",
    }
}
_RETRY: Final[Schema] = {
    "Retry-After": {
        "description": "Seconds after which the request may be repeated.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    }
}
_EVERYWHERE: Final = (Kind.INVALID_REQUEST, Kind.INTERNAL)
_WITH_TOKENS: Final = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.RATE_LIMITED)


def openapi_document(operations: Sequence[Operation]) -> Schema:
    """Returns the OpenAPI 3.1 document of the operations."""
    classes = list(dict.fromkeys(_classes(operations)))
    _, components = msgspec.json.schema_components(classes, ref_template=_REFERENCE)
    for name, schema in components.items():
        _describe(schema, _field_texts().get(name, {}))
    paths: dict[str, Schema] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Triggers on Kafka",
            "version": version("kafka-triggers"),
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that has this document."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {_reference(status).rpartition("/")[2]: _problem(status) for status in _statuses()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the API, or of the OpenID Connect provider. Scopes: "
                    + ", ".join(Scope)
                    + ". `operate` includes `read`, and `admin` includes all. An API that listens to its own machine"
                    " only may need no token.",
                }
            },
        },
    }


def _statuses() -> list[int]:
    return sorted({kind.status for kind in Kind})


def _classes(operations: Sequence[Operation]) -> Iterator[type]:
    yield Problem
    for operation in operations:
        bodies = operation.body.media.values() if operation.body else ()
        for described in (*bodies, *operation.responses.values()):
            if isinstance(described.content, type):
                yield described.content


def _operation(operation: Operation) -> Schema:
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": "\n\n".join(filter(None, (operation.description, _scope_text(operation)))),
        "security": [] if operation.scope is None else [{"bearer": [operation.scope.value]}],
        "responses": _responses(operation),
    }
    parameters = [
        *(
            {
                "name": each.name,
                "in": each.location,
                "required": each.required,
                "description": each.description,
                "schema": each.schema,
                "example": each.example,
            }
            for each in operation.parameters
        ),
        *map(_query_parameter, operation.query),
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        media = {name: _media(each.content, each.example) for name, each in operation.body.media.items()}
        described["requestBody"] = {"required": operation.body.required, "content": media}
    return described


def _scope_text(operation: Operation) -> str:
    return "" if operation.scope is None else f"The token needs the scope `{operation.scope}`."


def _query_parameter(parameter: QueryParameter[Any]) -> Schema:
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.description,
        "schema": parameter.schema,
        "example": parameter.example,
    }


def _responses(operation: Operation) -> Schema:
    responses = {str(status): _answer(answer) for status, answer in sorted(operation.responses.items())}
    kinds = {*_EVERYWHERE, *operation.problems, *(_WITH_TOKENS if operation.scope is not None else ())}
    return responses | {str(status): {"$ref": _reference(status)} for status in sorted({kind.status for kind in kinds})}


def _reference(status: int) -> str:
    return f"#/components/responses/{phrase_of(status).title().replace(' ', '')}"


def _answer(answer: DocumentedResponse) -> Schema:
    described: Schema = {"description": answer.description, "headers": _REQUEST_ID}
    if answer.content is not None:
        described["content"] = {answer.media_type: _media(answer.content, answer.example)}
    return described


def _problem(status: int) -> Schema:
    """Returns the response with a status, and an example for each kind of problem that has it."""
    examples = {
        kind.slug: {"summary": kind.title, "value": {"type": kind.type, "title": kind.title, "status": status}}
        for kind in Kind
        if kind.status == status
    }
    return {
        "description": phrase_of(status),
        "headers": _REQUEST_ID | (_RETRY if status in (429, 503) else {}),
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(name=Problem.__name__)}, "examples": examples}},
    }


def _media(content: type | Schema, example: object) -> Schema:
    schema = {"$ref": _REFERENCE.format(name=content.__name__)} if isinstance(content, type) else content
    return {"schema": schema} | ({} if example is None else {"example": example})


def _describe(schema: Schema, texts: dict[str, str]) -> None:
    """Adds the docstrings below a class's attributes as the descriptions of its properties."""
    for name, member in schema.get("properties", {}).items():
        if name in texts:
            member["description"] = texts[name]


@cache
def _field_texts() -> dict[str, dict[str, str]]:
    """Returns the docstrings of all attributes of all classes of the package, by class and attribute."""
    trees = (ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py"))
    classes = (node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    return {each.name: dict(_attribute_texts(each)) for each in classes}


def _attribute_texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in pairwise([*node.body, ast.Pass()]):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            yield field.target.id, cleandoc(str(after.value.value)).replace("\n", " ")


def document_text() -> str:
    """Returns the document as the text of the file. Nothing connects, because no operation is called."""
    return json.dumps(openapi_document(all_operations(Services(Settings()))), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document_text())
