"""Encodes and decodes the events of `<ns>.events`. The decoder detects the format of each record."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.codec.avro_records import HEADER_BYTES, MARKER, Record, avro_codec, schema_versions
from triggers.codec.cloudevents import cloudevent_headers, decode_cloudevent
from triggers.codec.confluent_framing import ConfluentRecords, SchemaSource
from triggers.codec.event_shapes import SHAPES, check_limits, payloads
from triggers.codec.event_times import event_times
from triggers.codec.hot_events import FINISHED, FIRE, STARTED, read_finished, read_fire, read_start, read_started
from triggers.codec.hot_records import write_event
from triggers.codec.json_fires import decode_json
from triggers.codec.json_payloads import check_payload
from triggers.codec.reasons import Reason
from triggers.codec.record_headers import RULES_HEADER, read_headers
from triggers.codec.trace_headers import Headers
from triggers.core.events import Event, TaskFinished, TaskStarted, TriggerFired
from triggers.errors import CallError, TooLarge, Undecodable

NO_LIMIT: Final = 1 << 30
"""`max_payload_bytes` for events that are not published to a topic."""
_NAMESPACE: Final = "triggers."
_MAX_PAYLOADS: Final = 4
"""Maximum size of a value, in multiples of `max_payload_bytes`. An event has at most three payloads, and text. Larger
values, which a producer can send compressed, are refused without being decoded."""
_SCHEMA_ID_HEADERS: Final = frozenset({"__value_schema_id"})
"""Header in which Confluent's serializers can be configured to write the schema's id. The value is bare Avro then."""
_EVENTS: Final = avro_codec("trigger_event")
_CLASSES: Final = {_NAMESPACE + event.__name__: event for event in SHAPES}
_NAMES: Final = {event: name for name, event in _CLASSES.items()}
_HEAD: Final = MARKER + _EVENTS.fingerprint
_MARKER: Final = MARKER  # a final name is not looked up, which would take 130 instructions
_HEADER_BYTES: Final = HEADER_BYTES
_TRIGGER_FIRED: Final = TriggerFired
_TASK_STARTED: Final = TaskStarted
_TASK_FINISHED: Final = TaskFinished
_set_field: Final = msgspec.structs.force_setattr


class EventDecoder:
    """Decodes Avro (single-object or Confluent framing), CloudEvents and plain JSON."""

    def __init__(self, max_payload_bytes: int, registry: SchemaSource | None = None) -> None:
        """Without a `registry`, records in Confluent framing are refused."""
        self._max_payload_bytes = max_payload_bytes
        self._framed = ConfluentRecords(schema_versions("trigger_event")[0], registry)

    def decode(
        self,
        value: bytes | None,
        headers: Headers | None,
        position: int,
        time: int,
    ) -> Event:
        """Decodes the event of a record; `position` is the record's offset and `time` its timestamp.

        Raises Undecodable. Only a record in Confluent framing can block, or raise TryAgain if the registry does not
        answer.
        """
        if value and len(value) > _MAX_PAYLOADS * self._max_payload_bytes:
            detail = f"{len(value)} bytes; the limit is {_MAX_PAYLOADS} times max_payload_bytes"
            raise Undecodable(Reason.TOO_LARGE, detail)
        time = max(time, 0)
        if headers:
            return self._decode_with_headers(value, headers, position, time)
        event = self._sniff(value or b"", (), position, time)
        if value and len(value) > self._max_payload_bytes:
            self._check_sizes(event)
        return event

    def _decode_with_headers(self, value: bytes | None, headers: Headers, position: int, time: int) -> Event:
        """Decodes the event of a record with headers, which may add a trace and published rules to any format.

        The trace of a header takes precedence over a CloudEvent's, because it is that of the later hop. The event is
        changed although its class is frozen, because nobody else has it yet, and a copy would cost more.
        """
        trace, rules, may_be_cloudevent = read_headers(headers)
        attributes = cloudevent_headers(headers) if may_be_cloudevent else None
        if attributes is not None:
            event: Event = decode_cloudevent(value, attributes, position, time)
        else:
            event = self._sniff(value or b"", headers, position, time)
        if value and len(value) > self._max_payload_bytes:
            self._check_sizes(event)
        if trace is not None:
            _set_field(event, "trace", trace)
        if rules and event.rules is None:
            _set_field(event, "rules", _decode_rules(rules))
            check_limits(event)
        return event

    def _sniff(self, value: bytes, headers: Headers, position: int, time: int) -> Event:
        start = value[:1]
        if start == b"{":
            return decode_json(value, position, time)
        if value[:2] == _MARKER:
            return _decode_hot_event(value, position, time) or _decode_record(_EVENTS.decode(value), position, time)
        if any(name in _SCHEMA_ID_HEADERS and header is not None for name, header in headers):
            detail = "the schema's id is in a header; configure the serializer to write it before the value"
            raise Undecodable(Reason.UNKNOWN_FORMAT, detail)
        if start == b"\0":
            return _decode_record(self._framed.decode(value), position, time)
        if not value:
            raise Undecodable(Reason.EMPTY_VALUE)
        if start.isspace():
            return decode_json(value, position, time)
        raise Undecodable(Reason.UNKNOWN_FORMAT, f"the value starts with {value[:8]!r}")

    def _check_sizes(self, event: Event) -> None:
        for name, payload in payloads(event):
            if len(payload) > self._max_payload_bytes:
                raise Undecodable(Reason.TOO_LARGE, _too_large(name, payload, self._max_payload_bytes))


def encode_event(event: Event, source: str = "") -> bytes:
    """Encodes an event in Avro single-object encoding, without its position.

    `source` names the producer if the event does not. Raises CallError if a value does not fit its
    field, such as text that is not Unicode.
    """
    written = write_event(event, _HEAD, source)
    if written is not None:
        return written
    fields = msgspec.structs.asdict(event)  # compiled code would raise TypeError for an attribute of another type
    common = {"id": fields["id"] or "", "source": fields["source"] or source, "rules": fields["rules"] or ""}
    return _EVENTS.encode(common | {"time": fields["time"], "event": (_NAMES[type(event)], fields)})


def check_event(event: Event, max_payload_bytes: int) -> None:
    """Checks before publication that a worker will accept an event. Raises TooLarge for a payload, else CallError."""
    for name, payload in payloads(event):
        if len(payload) > max_payload_bytes:
            raise TooLarge(_too_large(name, payload, max_payload_bytes))
    for name in SHAPES[type(event)].names:
        if not isinstance(text := getattr(event, name), str | None):
            raise CallError(f"{name} must be a str, not {type(text).__name__}")
    try:
        check_limits(event)
    except Undecodable as error:
        raise CallError(error.detail) from error


def _decode_hot_event(value: bytes, position: int, time: int) -> Event | None:
    """Decodes a fire, or the start or the end of a task. Returns None if that needs the general decoder."""
    if not value.startswith(_HEAD):
        return None
    event_id, claimed, source, kind = read_start(value, _HEADER_BYTES)
    if kind < 0:
        return None
    tag = value[kind]
    if tag == FIRE:
        return _decode_fire(value, kind, position, claimed, time, event_id or None, source or None)
    if tag == STARTED:
        return _decode_started(value, kind, position, claimed, time, event_id or None, source or None)
    if tag == FINISHED:
        return _decode_finished(value, kind, position, claimed, time, event_id or None, source or None)
    return None


def _decode_fire(  # noqa: PLR0917  # compiled code passes positional arguments fastest
    value: bytes, kind: int, position: int, claimed: int, time: int, event_id: str | None, source: str | None
) -> Event | None:
    fields = read_fire(value, kind)
    if fields is None:
        return None
    trigger, kwargs = fields
    check_payload(kwargs, "kwargs")
    at, recorded = event_times(claimed, time)
    return _TRIGGER_FIRED(
        position=position, time=at, recorded=recorded, id=event_id, source=source, trigger=trigger, kwargs=kwargs
    )


def _decode_started(  # noqa: PLR0917  # as above
    value: bytes, kind: int, position: int, claimed: int, time: int, event_id: str | None, source: str | None
) -> Event | None:
    fields = read_started(value, kind)
    if fields is None:
        return None
    instance, attempt = fields
    at, recorded = event_times(claimed, time)
    return _TASK_STARTED(
        position=position, time=at, recorded=recorded, id=event_id, source=source, instance=instance, attempt=attempt
    )


def _decode_finished(  # noqa: PLR0917  # as above
    value: bytes, kind: int, position: int, claimed: int, time: int, event_id: str | None, source: str | None
) -> Event | None:
    fields = read_finished(value, kind)
    if fields is None:
        return None
    instance, attempt, result, log_level = fields
    check_payload(result, "result")
    at, recorded = event_times(claimed, time)
    return _TASK_FINISHED(
        position=position,
        time=at,
        recorded=recorded,
        id=event_id,
        source=source,
        instance=instance,
        attempt=attempt,
        result=result,
        log_level=log_level,
    )


def _decode_record(record: Record, position: int, time: int) -> Event:
    name, fields = record["event"]
    shape = SHAPES[_CLASSES[name]]
    at, recorded = event_times(record["time"], time)
    common: Record = {name: record[name] or None for name in ("id", "source", "rules")}
    event = shape.event(position=position, time=at, recorded=recorded, **common, **fields)
    for field in shape.payloads:
        if (payload := fields[field]) is not None:
            check_payload(payload, field)
    check_limits(event)
    return event


def _decode_rules(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(Reason.BAD_HEADERS, f"{RULES_HEADER} is not UTF-8: {error.reason}") from error


def _too_large(name: str, payload: bytes, limit: int) -> str:
    return f"{name} has {len(payload)} bytes; the limit is {limit} (max_payload_bytes)"
