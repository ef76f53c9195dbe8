"""Reads the fires in a body: plain JSON, lines of JSON, or CloudEvents in structured, batched and binary mode. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from triggers.api.json_objects import JsonObject, no_members
from triggers.api.problems import ItemError, Kind, ProblemError
from triggers.codec import check_event, check_trigger_name, encode_key
from triggers.codec.cloudevents import decode_cloudevent
from triggers.codec.event_lines import decode_line
from triggers.codec.event_times import event_times
from triggers.codec.json_payloads import check_json, check_payload
from triggers.core.events import Event, TriggerFired
from triggers.errors import CallError, TooLarge, Undecodable

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
PLAIN: Final = "application/json"
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MAX_EVENTS: Final = 10_000
"""Maximum number of events in one body."""
_MAX_ERRORS: Final = 20
_CE: Final = "ce-"
_KAFKA_CE: Final = "ce_"


class Fire(NamedTuple):
    """A fire of a trigger in a session."""

    uid: str
    event: TriggerFired


class FireBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body with which a trigger is fired whose name is in the path."""

    kwargs: JsonObject = no_members()
    """JSON object that the trigger is fired with."""
    id: str | None = None
    """Id of the event. It takes precedence over the Idempotency-Key."""
    time: int | datetime | None = None
    """When it happened: RFC 3339, or milliseconds since 1970-01-01 UTC. Default: when Kafka receives it."""
    source: str | None = None
    """Producer of the event. Default: the name of the token."""
    rules: str | None = None
    """Name of the published rules that the session takes if this is its first event."""


class _Routed(Struct, frozen=True):
    partitionkey: str | None = None
    subject: str | None = None


_decode_routed: Final = msgspec.json.Decoder(_Routed).decode
_decode_batch: Final = msgspec.json.Decoder(list[Raw]).decode


def one_fire(uid: str, trigger: str, body: FireBody, event_id: str | None, max_payload_bytes: int) -> Fire:
    """Returns the fire of a trigger in a session. Raises CallError, TooLarge and Undecodable."""
    kwargs = bytes(body.kwargs)
    check_payload(kwargs, "kwargs")
    at, _ = event_times(body.time, 0)
    event = TriggerFired(
        time=at,
        id=body.id or event_id,
        source=body.source or None,
        rules=body.rules or None,
        trigger=trigger,
        kwargs=kwargs,
    )
    return _checked(uid, event, max_payload_bytes)


def read_fires(
    body: bytes, content_type: str, headers: Iterable[tuple[str, str]], event_id: str | None, max_payload_bytes: int
) -> list[Fire]:
    """Returns the fires in a body of one of the media types, or in binary mode if a header says so.

    `event_id` is the id of a single event that has none. Of several, the n-th gets `<event_id>/<n>`. Raises a problem
    that lists the wrong events; then none of the events must be published.
    """
    attributes, media = _attributes(headers), content_type.partition(";")[0].strip().lower()
    if attributes:
        return _each([body], lambda _: _binary(body, content_type, attributes), event_id, max_payload_bytes)
    if media == STRUCTURED:
        return _each([body], lambda _: _structured(body, content_type), event_id, max_payload_bytes)
    if media == BATCH:
        return _each(_batch(body), _structured, event_id, max_payload_bytes, several=True)
    if media == PLAIN:
        return _each([body], _line, event_id, max_payload_bytes)
    if media in LINES:
        lines = [line for line in body.splitlines() if line.strip()]
        return _each(lines, _line, event_id, max_payload_bytes, several=True)
    supported = ", ".join((PLAIN, LINES[0], STRUCTURED, BATCH))
    raise ProblemError(
        Kind.UNSUPPORTED_MEDIA_TYPE,
        f"Content-Type is {content_type!r:.100}; send {supported}, or a CloudEvent in binary mode with ce-specversion",
    )


def _each(
    items: list[bytes],
    decode: Callable[[bytes], tuple[str, Event]],
    event_id: str | None,
    max_payload_bytes: int,
    *,
    several: bool = False,
) -> list[Fire]:
    if len(items) > MAX_EVENTS:
        raise ProblemError(Kind.TOO_LARGE, f"the body has {len(items)} events; send at most {MAX_EVENTS}")
    fires: list[Fire] = []
    errors: list[tuple[int, CallError | Undecodable]] = []
    for index, item in enumerate(items):
        try:
            uid, event = decode(item)
            fire = _checked(uid, _require_fire(event), max_payload_bytes)
        except (CallError, Undecodable) as error:
            errors.append((index, error))
        else:
            fires.append(fire if event_id is None else _with_id(fire, f"{event_id}/{index}" if several else event_id))
    if not items:
        raise ProblemError(Kind.INVALID_REQUEST, "the body has no event")
    if errors:
        raise _refusal(errors, len(items)) if several else errors[0][1]
    return fires


def _refusal(errors: list[tuple[int, CallError | Undecodable]], count: int) -> ProblemError:
    is_large = all(isinstance(error, TooLarge) for _, error in errors)
    return ProblemError(
        Kind.TOO_LARGE if is_large else Kind.INVALID_EVENT,
        f"{len(errors)} of {count} events are wrong, so none of them was published",
        errors=[ItemError(index=index, detail=str(error)) for index, error in errors[:_MAX_ERRORS]],
    )


def _checked(uid: str, event: TriggerFired, max_payload_bytes: int) -> Fire:
    encode_key(uid)
    check_trigger_name(event.trigger)
    check_event(event, max_payload_bytes)
    return Fire(uid, event)


def _require_fire(event: Event) -> TriggerFired:
    if not isinstance(event, TriggerFired):
        raise CallError("only fires are accepted here; operations have paths of their own, and results go to Kafka")
    return replace(event, position=0, recorded=0)


def _with_id(fire: Fire, event_id: str) -> Fire:
    return fire if fire.event.id else Fire(fire.uid, replace(fire.event, id=event_id))


def _line(line: bytes) -> tuple[str, Event]:
    check_json(line, "the event")
    return decode_line(line, 0)


def _batch(body: bytes) -> list[bytes]:
    try:
        check_json(body, "the batch")
        return [bytes(event) for event in _decode_batch(body)]
    except Undecodable as error:
        raise ProblemError(Kind.INVALID_EVENT, error.detail, reason=error.reason) from error
    except msgspec.ValidationError as error:
        raise ProblemError(Kind.INVALID_EVENT, f"a batch is a JSON array of CloudEvents: {error}") from error


def _structured(value: bytes, content_type: str = STRUCTURED) -> tuple[str, Event]:
    event = decode_cloudevent(value, {"content-type": content_type.encode()}, 0, 0)
    try:
        routed = _decode_routed(value)
    except msgspec.ValidationError as error:
        raise CallError(f"partitionkey and subject must be text: {error}") from error
    return _session_of(routed.partitionkey, routed.subject), event


def _binary(body: bytes, content_type: str, attributes: dict[str, bytes]) -> tuple[str, Event]:
    headers = attributes | ({"content-type": content_type.encode()} if content_type else {})
    event = decode_cloudevent(body, headers, 0, 0)
    key, subject = (attributes.get(_KAFKA_CE + name) for name in ("partitionkey", "subject"))
    return _session_of(None if key is None else key.decode(), None if subject is None else subject.decode()), event


def _session_of(partition_key: str | None, subject: str | None) -> str:
    """Returns the session of a CloudEvent: what would be the record's key on Kafka, or else what it is about."""
    session = partition_key or subject
    if not session:
        raise CallError("the CloudEvent names no session: set the attribute partitionkey, or subject, to its UID")
    return session


def _attributes(headers: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """Returns the attributes of a CloudEvent in binary mode under the names of Kafka's headers; {} if it is not one.

    HTTP's headers are ASCII: the specification percent-encodes other characters, and allows quotes around a value.
    """
    values = {name.lower(): value for name, value in headers if name.lower().startswith(_CE)}
    if not values:
        return {}
    return {_KAFKA_CE + name.removeprefix(_CE): unquote_to_bytes(_unquoted(value)) for name, value in values.items()}


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
