"""Fires triggers. A request is answered when Kafka has acknowledged its events; no thread waits for that."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.event_bodies import BATCH, LINES, PLAIN, STRUCTURED, FireBody, one_fire, read_fires
from triggers.api.identity import ANYONE, Scope
from triggers.api.json_objects import JsonObject, no_members
from triggers.api.names import IDEMPOTENCY_KEY, TRIGGER, UID
from triggers.api.operations import Body, DocumentedResponse, Media, Operation
from triggers.api.parameters import Schema
from triggers.api.problems import Kind
from triggers.api.services import SOURCE, Services, json_response
from triggers.codec import encode_key

_CLOUD_EVENT: Final[Schema] = {
    "type": "object",
    "description": "A CloudEvent 1.0. The session is `partitionkey`, or else `subject`; the trigger is `trigger`, or"
    " else `type`; the kwargs are `data`, a JSON object.",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string"},
        "partitionkey": {"type": "string"},
        "trigger": {"type": "string", "minLength": 1},
        "triggersrules": {"type": "string"},
        "datacontenttype": {"type": "string"},
        "data": {"type": "object"},
    },
}
_EXAMPLE_CLOUD_EVENT: Final = {
    "specversion": "1.0",
    "id": "4711",
    "source": "shop",
    "type": "orderPaid",
    "subject": "order-1",
    "data": {"amount": 3},
}
_LINE: Final = '{"session": "order-1", "trigger": "orderPaid", "kwargs": {"amount": 3}, "id": "pay-4711"}'


class PlainFire(Struct, frozen=True, kw_only=True):
    """A fire in plain JSON, as `triggers fire --from` reads it."""

    session: str
    """UID of the session."""
    trigger: str
    kwargs: JsonObject = no_members()
    """JSON object that the trigger is fired with."""
    id: str | None = None
    """An event that repeats an id of its session's latest 1,024 has no effect."""
    time: int | str | None = None
    """RFC 3339, or milliseconds since 1970-01-01 UTC."""
    source: str | None = None
    rules: str | None = None


class Accepted(Struct, frozen=True, kw_only=True):
    """An event that Kafka has acknowledged."""

    session: str
    partition: int
    offset: int
    id: str | None
    """The event's id, under which repeating the request has no effect."""


class AcceptedEvents(Struct, frozen=True, kw_only=True):
    """Events that Kafka has acknowledged, in the order of the body."""

    events: list[Accepted]


class Ingest:
    """The operations for applications and services that fire triggers."""

    def __init__(self, services: Services) -> None:
        self._publisher = services.publisher
        self._blocking = services.blocking
        self._max_payload_bytes = services.settings.max_payload_bytes

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        return [
            Operation(
                method="POST",
                path="/v1/sessions/{uid}/triggers/{name}",
                handler=self.fire_trigger,
                scope=Scope.INGEST,
                tag="fire",
                summary="Fire a trigger in a session.",
                description=_FIRE_DESCRIPTION,
                parameters=(UID, TRIGGER, IDEMPOTENCY_KEY),
                body=Body({PLAIN: Media(FireBody, {"kwargs": {"amount": 3}})}, required=False),
                responses={202: DocumentedResponse("Kafka has the event.", Accepted, _ACCEPTED)},
                problems=(*_FIRING, Kind.TOO_LARGE),
            ),
            Operation(
                method="POST",
                path="/v1/events",
                handler=self.fire_events,
                scope=Scope.INGEST,
                tag="fire",
                summary="Fire triggers in any sessions, one or many at a time.",
                description=_EVENTS_DESCRIPTION,
                parameters=(IDEMPOTENCY_KEY,),
                body=_EVENTS_BODY,
                responses={202: DocumentedResponse("Kafka has all events.", AcceptedEvents, {"events": [_ACCEPTED]})},
                problems=(*_FIRING, Kind.TOO_LARGE),
            ),
        ]

    async def fire_trigger(self, call: Call) -> Response:
        """Fires the trigger of the path."""
        uid = call.name("uid")
        encode_key(uid)
        body = await call.read(FireBody)
        fire = one_fire(uid, call.name("name"), body, call.event_id, self._max_payload_bytes)
        partition, offset = await self._publisher.publish(uid, fire.event, _source_of(call))
        return json_response(Accepted(session=uid, partition=partition, offset=offset, id=fire.event.id), 202)

    async def fire_events(self, call: Call) -> Response:
        """Fires the triggers of the body."""
        body = await call.read_body()
        content_type = call.headers.get("content-type", "")
        arguments = body, content_type, call.headers.items(), call.event_id, self._max_payload_bytes
        is_large = len(body) > _READ_AT_ONCE
        fires = await self._blocking.run(read_fires, *arguments) if is_large else read_fires(*arguments)
        call.charge(len(fires) - 1)
        published = await self._publisher.publish_all(fires, _source_of(call))
        accepted = [
            Accepted(session=fire.uid, partition=partition, offset=offset, id=fire.event.id)
            for fire, (partition, offset) in zip(fires, published, strict=True)
        ]
        return json_response(AcceptedEvents(events=accepted), 202)


_READ_AT_ONCE: Final = 64 * 1024
"""Size up to which a body is read in the event loop. Reading a larger one takes so long that others would wait."""
_FIRE_DESCRIPTION: Final = (
    "The response comes when Kafka has acknowledged the event on all in-sync replicas. A"
    " worker applies it later. Repeating a request with the same id, or Idempotency-Key, has no effect:"
    " a session remembers at least its latest 1,024 ids, and records what repeats one as a duplicate."
)
_EVENTS_DESCRIPTION: Final = (
    "One event in plain JSON, lines of them, one CloudEvent in structured mode or a batch of"
    " them, or one CloudEvent in binary mode (its attributes are headers `ce-…`, the body is the data)."
    " Either all events of a body are published, in their order, or a wrong one is reported and none is."
    " With the status 503, some may have been written: events with ids can be repeated. With an"
    " Idempotency-Key, the n-th event without an id gets the id `<key>/<n>`, counted from 0; a single"
    " one gets the key itself."
)
_EVENTS_BODY: Final = Body(
    {
        PLAIN: Media(PlainFire, {"session": "order-1", "trigger": "orderPaid", "kwargs": {"amount": 3}}),
        LINES[0]: Media({"type": "string", "description": "One event in plain JSON a line."}, _LINE),
        STRUCTURED: Media(_CLOUD_EVENT, _EXAMPLE_CLOUD_EVENT),
        BATCH: Media({"type": "array", "items": _CLOUD_EVENT}, [_EXAMPLE_CLOUD_EVENT]),
    }
)
_ACCEPTED: Final = {"session": "order-1", "partition": 3, "offset": 17, "id": "pay-4711"}
_FIRING: Final = (Kind.INVALID_EVENT, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.BODY_TIMEOUT, Kind.UNAVAILABLE, Kind.OVERLOADED)


def _source_of(call: Call) -> str:
    """Returns the source of events that name none."""
    return SOURCE if call.principal is ANYONE else call.principal.name
