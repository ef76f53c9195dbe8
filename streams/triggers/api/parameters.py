"""Parameters of requests: what the document says of them, and how the text of a query's becomes a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the path, or a header."""

    name: str
    description: str
    schema: Schema
    example: object
    location: str = "path"
    required: bool = True


@dataclass(frozen=True, slots=True)
class QueryParameter(Generic[T]):
    """A parameter of the query. `parse` raises ValueError for a text that it does not accept."""

    name: str
    description: str
    parse: Callable[[str], T]
    default: T
    schema: Schema
    example: object


def integer(name: str, description: str, *, default: int, minimum: int, maximum: int) -> QueryParameter[int]:
    """Returns a parameter with a whole number."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and minimum <= int(text) <= maximum):
            raise ValueError(f"it must be a whole number from {minimum} to {maximum}")
        return int(text)

    schema = {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}
    return QueryParameter(name, description, parse, default, schema, default)


def optional_integer(name: str, description: str, *, minimum: int, maximum: int) -> QueryParameter[int | None]:
    """Returns a parameter with a whole number that may be missing."""
    required = integer(name, description, default=minimum, minimum=minimum, maximum=maximum)
    schema = {key: value for key, value in required.schema.items() if key != "default"}
    return QueryParameter(name, description, required.parse, None, schema, minimum)


def text(name: str, description: str, example: str, max_characters: int = 1024) -> QueryParameter[str]:
    """Returns a parameter with any text; without it, the text is empty."""

    def parse(value: str) -> str:
        if len(value) > max_characters:
            raise ValueError(f"it must have at most {max_characters} characters")
        return value

    schema = {"type": "string", "maxLength": max_characters}
    return QueryParameter(name, description, parse, "", schema, example)


def optional_text(name: str, description: str, example: str, max_characters: int = 1024) -> QueryParameter[str | None]:
    """Returns a parameter with any text that may be missing."""
    required = text(name, description, example, max_characters)
    return QueryParameter(name, description, required.parse, None, required.schema, example)


def choice(name: str, description: str, *values: str, default: str) -> QueryParameter[str]:
    """Returns a parameter that has one of these values."""

    def parse(value: str) -> str:
        if value not in values:
            raise ValueError(f"it must be one of {', '.join(values)}")
        return value

    schema = {"type": "string", "enum": list(values), "default": default}
    return QueryParameter(name, description, parse, default, schema, default)


def parsed(name: str, description: str, parse: Callable[[str], T], *, default: T, example: str) -> QueryParameter[T]:
    """Returns a parameter whose text `parse` understands."""
    return QueryParameter(name, description, parse, default, {"type": "string", "minLength": 1}, example)
