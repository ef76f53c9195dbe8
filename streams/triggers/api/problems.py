"""Problem details (RFC 9457): the responses to requests that fail, which disclose nothing about the server."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from triggers.errors import (
    BeingDeleted,
    BrokerUnavailable,
    CallError,
    EventsExpired,
    IdReused,
    IncompleteLetter,
    InstanceNotFound,
    InvalidConfiguration,
    NotFound,
    Overloaded,
    OwnerUnavailable,
    ReservedName,
    RulesLocked,
    SessionExists,
    SessionNotFound,
    SettingsError,
    TaskNotFound,
    TooLarge,
    TooManyItems,
    TriggersError,
    TryAgain,
    Undecodable,
    UnknownRules,
    WrongStatus,
)

MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:kafka-triggers:problem:"
_RETRY_S: Final = 1


class Kind(Enum):
    """The kinds of problems. Each has a name, which its `type` ends with, a status and a title."""

    INVALID_REQUEST = ("invalid-request", 400, "The request is not valid")
    INVALID_EVENT = ("invalid-event", 400, "An event cannot be decoded")
    RESERVED_NAME = ("reserved-name", 400, "Only the engine fires a trigger of that name")
    UNAUTHENTICATED = ("unauthenticated", 401, "The request needs a valid token")
    FORBIDDEN = ("forbidden", 403, "The token does not allow this")
    NO_SUCH_PATH = ("no-such-path", 404, "Nothing has this path")
    NOT_FOUND = ("not-found", 404, "Nothing has that name")
    SESSION_NOT_FOUND = ("session-not-found", 404, "There is no session with that UID")
    TASK_NOT_FOUND = ("task-not-found", 404, "The session has no task of that name")
    INSTANCE_NOT_FOUND = ("instance-not-found", 404, "The session has no instance of that name")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "The path does not allow this method")
    BODY_TIMEOUT = ("body-timeout", 408, "The body did not arrive in time")
    WRONG_STATUS = ("wrong-status", 409, "The instance's status does not allow this")
    CONFLICT = ("conflict", 409, "The present state does not allow this")
    EVENTS_EXPIRED = ("events-expired", 410, "Events that the answer needs were removed by retention")
    TOO_LARGE = ("too-large", 413, "The request is too large")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "The media type of the body is not supported")
    INVALID_CONFIGURATION = ("invalid-configuration", 422, "The rules are not valid")
    KEY_REUSED = ("key-reused", 422, "The Idempotency-Key belongs to another request")
    RATE_LIMITED = ("rate-limited", 429, "The token has used up its rate")
    INTERNAL = ("internal", 500, "The request failed")
    UNAVAILABLE = ("unavailable", 503, "A broker or a worker does not answer")
    OVERLOADED = ("overloaded", 503, "Too much is in progress")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title

    @property
    def type(self) -> str:
        """The URI of the kind. It identifies the kind and cannot be fetched."""
        return _URN + self.slug


class ItemError(Struct, frozen=True, kw_only=True):
    """The defect of one of several events."""

    index: int
    """Number of the event in the body, counted from 0."""
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457)."""

    type: str
    """URI of the kind of problem."""
    title: str
    status: int
    detail: str = ""
    """The defect of this request, and the fix."""
    request_id: str = ""
    """The request's id, which the server's log lines have as well."""
    reason: str = ""
    """The reason with which a worker would dead-letter the event."""
    errors: list[ItemError] = []
    """The defects of several events, at most the first 20."""


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        headers: dict[str, str] | None = None,
        reason: str = "",
        errors: list[ItemError] | None = None,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        self.reason = reason
        self.errors = errors or []

    def problem(self, request_id: str) -> Problem:
        """Returns the problem as the body of a response."""
        return Problem(
            type=self.kind.type,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            request_id=request_id,
            reason=self.reason,
            errors=self.errors,
        )


_KINDS: Final[dict[type[TriggersError], Kind]] = {
    SessionNotFound: Kind.SESSION_NOT_FOUND,
    TaskNotFound: Kind.TASK_NOT_FOUND,
    InstanceNotFound: Kind.INSTANCE_NOT_FOUND,
    EventsExpired: Kind.EVENTS_EXPIRED,
    NotFound: Kind.NOT_FOUND,
    SettingsError: Kind.INTERNAL,
    InvalidConfiguration: Kind.INVALID_CONFIGURATION,
    ReservedName: Kind.RESERVED_NAME,
    WrongStatus: Kind.WRONG_STATUS,
    IdReused: Kind.KEY_REUSED,
    RulesLocked: Kind.CONFLICT,
    UnknownRules: Kind.CONFLICT,
    SessionExists: Kind.CONFLICT,
    BeingDeleted: Kind.CONFLICT,
    IncompleteLetter: Kind.CONFLICT,
    TooManyItems: Kind.CONFLICT,
    TooLarge: Kind.TOO_LARGE,
    CallError: Kind.INVALID_REQUEST,
    Undecodable: Kind.INVALID_EVENT,
    Overloaded: Kind.OVERLOADED,
    TryAgain: Kind.UNAVAILABLE,
}
"""The kind of each error. A subclass comes before its base class."""
_UNAVAILABLE: Final[dict[type[TriggersError], str]] = {
    BrokerUnavailable: "Kafka does not answer. Repeat the request; with an id or Idempotency-Key, that is harmless.",
    OwnerUnavailable: "The worker that owns the session does not answer. It may be starting. Repeat the request.",
    TryAgain: "Repeat the request.",
}
"""Messages for clients instead of those that name brokers and workers, because clients must not learn addresses."""


def problem_of(error: Exception) -> ProblemError:
    """Returns the problem of an error. One of an unexpected class is internal, and its message is not disclosed."""
    if isinstance(error, ProblemError):
        return error
    kind = next((kind for cls, kind in _KINDS.items() if isinstance(error, cls)), Kind.INTERNAL)
    if kind is Kind.INTERNAL:
        return ProblemError(kind, "The server's log has the cause, under this request_id.")
    if kind is Kind.OVERLOADED:
        return ProblemError(kind, str(error), headers=retry_after(_RETRY_S))
    if isinstance(error, TryAgain):
        detail = next(detail for cls, detail in _UNAVAILABLE.items() if isinstance(error, cls))
        return ProblemError(kind, detail, headers=retry_after(_RETRY_S))
    if isinstance(error, Undecodable):
        return ProblemError(kind, error.detail or error.reason, reason=error.reason)
    return ProblemError(kind, str(error))


def retry_after(seconds: float) -> dict[str, str]:
    """Returns the header that says after how many whole seconds a request may be repeated; at least one."""
    return {"Retry-After": str(max(1, -int(-seconds // 1)))}


def phrase_of(status: int) -> str:
    """Returns HTTP's words for a status."""
    return HTTPStatus(status).phrase
