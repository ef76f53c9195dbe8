"""Parts of JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from triggers.core.durations import MAX_DURATION_MS

Schema = dict[str, object]

_UNITS: Final = {"ms": "ms", "s": "s", "m": "m(?!s)", "h": "h", "d": "d", "w": "w"}
_ONCE: Final = "".join(f"(?!.*[0-9]{unit}.*[0-9]{unit})" for unit in _UNITS.values())
_SUM: Final = rf"^(?=.*[1-9]){_ONCE}(?:[0-9]{{1,20}}(?:ms|[smhdw]))+$"
_NUMBER: Final = "[0-9]{1,20}"
_ISO: Final = (
    rf"^(?=.*[1-9])P(?=[0-9T])(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=[0-9])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}(?:[.,]{_NUMBER})?S)?)?$"
)


def ref(name: str, description: str = "") -> Schema:
    reference: Schema = {"$ref": f"#/$defs/{name}"}
    return reference | {"description": description} if description else reference


def text(description: str) -> Schema:
    return {"type": "string", "description": description}


def number(least: float, most: float, description: str) -> Schema:
    return {"type": "number", "minimum": least, "maximum": most, "description": description}


def integer(least: int, most: int, description: str) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def record(properties: Schema, description: str, *required: str) -> Schema:
    """Returns the schema of an object that has no other keys."""
    own: Schema = {"type": "object", "description": description, "properties": properties}
    return own | ({"required": list(required)} if required else {}) | {"additionalProperties": False}


def or_null(properties: Mapping[str, object]) -> Schema:
    """Allows null, which means that the key is not there."""
    return {key: {"anyOf": [own, {"type": "null"}]} | _described(own) for key, own in properties.items()}


def _described(schema: object) -> Schema:
    return {"description": schema["description"]} if isinstance(schema, dict) and "description" in schema else {}


def duration() -> Schema:
    """Returns the schema of a duration of edition 2."""
    return {
        "description": 'Seconds, a text such as "500ms", "30s", "1h30m", or ISO 8601 such as "PT15M".',
        "anyOf": [
            {"type": "number", "minimum": 0.001, "exclusiveMaximum": MAX_DURATION_MS / 1_000 + 0.001},
            {"type": "string", "pattern": _SUM},
            {"type": "string", "pattern": _ISO},
        ],
    }
