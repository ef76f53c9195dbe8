"""`Visit`: a request as a page sees it, with its visitor, its parameters and its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, quote, unquote

from msgspec import Struct
from starlette.requests import Request

from triggers.api.identity import Principal, Scope
from triggers.console.forms import Form, ParameterValues, Upload
from triggers.errors import CallError

_MAX_PARAMETERS: Final = 1_000
_PARAMETER: Final = ";"
"""A semicolon of a name is always percent-encoded."""


class Visitor(Struct, frozen=True, kw_only=True):
    """Who looks at a page, and what they may do there."""

    principal: Principal
    form_key: str
    """The key that each form of this visitor must send, so that no other site can send one."""
    has_logged_in: bool = False
    """False in a console without tokens, where nobody can log in or out."""

    @property
    def may_operate(self) -> bool:
        """True if pages show the buttons that repair sessions."""
        return self.principal.may(Scope.OPERATE)

    @property
    def may_delete(self) -> bool:
        """True if pages show the buttons that delete sessions."""
        return self.principal.may(Scope.ADMIN)


class Visit:
    """One request of a visitor."""

    def __init__(self, request: Request, visitor: Visitor, body: bytes = b"", form: Form | None = None) -> None:
        self.request: Final = request
        self.visitor: Final = visitor
        self.body: Final = body
        self.query: Final = query_of(request)
        self._form = form or Form({}, {})

    @property
    def form(self) -> ParameterValues:
        """The text fields of the form in the body."""
        return self._form.fields

    @property
    def files(self) -> Mapping[str, Upload]:
        """The uploaded files, by the names of their fields."""
        return self._form.files

    @property
    def actor(self) -> str:
        """The name that is recorded with what the visitor does."""
        return self.visitor.principal.name

    def name(self, parameter: str) -> str:
        """Return a name in the path. Any text can be one, so it is taken from the path as it was sent."""
        segment: str = self.request.path_params[parameter]
        return unquote(segment.removesuffix(_PARAMETER))


def query_of(request: Request) -> ParameterValues:
    """Return the parameters in the URL. Raises CallError if there are too many."""
    try:
        text = request.scope["query_string"].decode("ascii", errors="replace")
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise CallError(f"the URL has too many parameters: {error}") from error


def path_of(name: str) -> str:
    """Return a name as a segment of a path. `Visit.name` is its inverse.

    Browsers resolve the segments `.` and `..`, even if they are percent-encoded, so these end with an empty parameter.
    """
    return quote(name, safe="") + (_PARAMETER if name in {".", ".."} else "")
