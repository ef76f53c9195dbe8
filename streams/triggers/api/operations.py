"""An operation of the API: its path, what it needs, what it responds. Routes and the document are made from these.

So a parameter that is not declared is refused, and the document cannot differ from the code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.parameters import Parameter, QueryParameter, Schema
from triggers.api.problems import Kind

Handler = Callable[[Call], Awaitable[Response]]

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Media:
    """A media type of a body: what it contains, as a class or a JSON schema, and an example."""

    content: type | Schema
    example: object


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request."""

    media: Mapping[str, Media]
    required: bool = True


@dataclass(frozen=True, slots=True)
class DocumentedResponse:
    """A response that is not a problem."""

    description: str
    content: type | Schema | None = None
    example: object = None
    media_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    scope: Scope | None
    """The scope that the token must have, or None if no token is needed."""
    tag: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    query: tuple[QueryParameter[Any], ...] = ()
    body: Body | None = None
    responses: Mapping[int, DocumentedResponse] = field(default_factory=dict)
    problems: tuple[Kind, ...] = ()
    """Kinds of problems besides those that every operation may return."""

    @property
    def id(self) -> str:
        """The operation's name in the document, from which clients are generated: that of its handler."""
        return self.handler.__name__
