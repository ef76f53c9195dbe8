"""Bodies of requests and responses of operators, and what their operations have in common."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from triggers.api.json_objects import JsonObject, no_members
from triggers.api.operations import DocumentedResponse
from triggers.api.problems import Kind
from triggers.core.published_rules import MAX_VERSION
from triggers.core.view import InstanceView


class Recorded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operator's event that Kafka has acknowledged."""

    session: str
    partition: int
    offset: int
    id: str | None = None
    is_applied: bool = True
    """False if no worker has confirmed yet that it applied the event; then `instance` is missing."""
    instance: InstanceView | None = None
    """The instance after the event."""
    replays: list[str] = []
    """Names of the instances that run the task again."""


class ReplayBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance is replayed."""

    kwargs: dict[str, JsonObject] | None = None
    """Trigger -> kwargs that replaces all kwargs of the instance, or null to keep them."""


class SkipBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance is skipped."""

    cascade: bool = False
    """Whether the task's name is fired, as if the task had finished."""
    result: JsonObject = no_members()
    """JSON object: the simulated result."""


class CancelBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance is cancelled."""

    terminate: bool = False
    """Whether a running task is ended, too, as far as its Celery worker can. It needs rules of edition 2."""


class StatusBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A status to set."""

    status: str
    metadata: JsonObject = no_members()
    """JSON object that is merged into the metadata of the instance."""
    cascade: bool = False
    cascade_kwargs: JsonObject = no_members()
    """JSON object: the kwargs with which the task's name is fired."""
    force: bool = False
    """Whether to allow a change that the table of transitions does not have."""


class AdoptBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Published rules that a session adopts."""

    rules: str
    """Name of the rules."""
    version: Annotated[int, Meta(ge=0, le=MAX_VERSION)] = 0
    """The version. 0 means the newest one."""


DESCRIPTION: Final = (
    "The event is recorded with the name of the token as its actor, and the timeline shows it. With an"
    " Idempotency-Key, repeating the request has no further effect, and another request with that key is refused."
)
_EXAMPLE: Final[dict[str, Any]] = {"session": "order-1", "partition": 3, "offset": 18}
RESPONSES: Final = {
    200: DocumentedResponse("A worker has applied the event.", Recorded, _EXAMPLE | {"replays": ["t_ship#1"]}),
    202: DocumentedResponse(
        "Kafka has the event; the worker that owns the session does not answer, and will apply it.",
        Recorded,
        _EXAMPLE | {"is_applied": False},
    ),
}
REFUSALS: Final = (
    Kind.INVALID_EVENT,
    Kind.NOT_FOUND,
    Kind.SESSION_NOT_FOUND,
    Kind.INSTANCE_NOT_FOUND,
    Kind.BODY_TIMEOUT,
    Kind.WRONG_STATUS,
    Kind.CONFLICT,
    Kind.TOO_LARGE,
    Kind.UNSUPPORTED_MEDIA_TYPE,
    Kind.INVALID_CONFIGURATION,
    Kind.KEY_REUSED,
    Kind.UNAVAILABLE,
    Kind.OVERLOADED,
)
