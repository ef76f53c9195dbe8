"""Decodes CloudEvents 1.0 on Kafka in binary and structured mode. A CloudEvent becomes a `TriggerFired`.

- The trigger is the extension attribute `trigger`, or else `type`.
- The kwargs are the data, which must be a JSON object. Without data they are `{}`.
- The id consists of `source` and `id`, because the specification makes that pair unique.
- The time is `time`.
- The extension attribute `triggersrules` names the published rules of a session that begins with the event.
- The extension attributes `traceparent` and `tracestate` are the trace, unless the record has headers of these names.
- The session is the record's key, as for every event. `subject`, `partitionkey` and other extensions are ignored.

A null header, or a null in structured mode, means that the attribute is absent. Header names and media types are
compared without regard to case. If a header is repeated, the last one counts, as in Kafka's own `lastHeader`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Raw, Struct

from triggers.codec.event_shapes import check_limits
from triggers.codec.event_times import event_times
from triggers.codec.json_payloads import check_json, check_payload
from triggers.codec.plain_json import payload
from triggers.codec.reasons import Reason
from triggers.codec.trace_headers import TRACEPARENT, TRACESTATE, read_attributes
from triggers.core.events import TriggerFired
from triggers.errors import Undecodable

Headers = Sequence[tuple[str, bytes | None]]

_CONTENT_TYPE: Final = "content-type"
_PREFIX: Final = "ce_"
_HTTP_PREFIX: Final = "ce-"
_STRUCTURED: Final = b"application/cloudevents"
_BATCH: Final = "application/cloudevents-batch"
_UNICODE: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class _Attributes(Struct, frozen=True):
    """The attributes that are used. Others are allowed and ignored."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime | None = None
    trigger: str | None = None
    triggersrules: str | None = None
    datacontenttype: str | None = None
    traceparent: object = None
    tracestate: object = None


class _Structured(_Attributes, frozen=True):
    data: Raw = Raw()
    data_base64: str | None = None


_NO_DATA: Final = (b"", b"null")
_decode_structured = msgspec.json.Decoder(_Structured).decode


def cloudevent_headers(headers: Headers) -> dict[str, bytes] | None:
    """Returns the headers of a CloudEvent by name in lower case, or None if the record is not one.

    A record is a CloudEvent if its content type says so, or if it has a header `ce_specversion`, `ce_type` or, with the
    prefix of HTTP, `ce-specversion`. The last is refused later rather than ignored here, because the value could
    otherwise be read as an event of another format and fire another trigger.
    """
    last: dict[str, bytes | None] = {}
    for header, value in headers:
        name = header.lower()
        if name.startswith((_PREFIX, _HTTP_PREFIX)) or name == _CONTENT_TYPE:
            last[name] = value
    present = {name: value for name, value in last.items() if value is not None}
    is_cloudevent = not present.keys().isdisjoint(("ce_specversion", "ce_type", "ce-specversion")) or present.get(
        _CONTENT_TYPE, b""
    ).strip().lower().startswith(_STRUCTURED)
    return present if is_cloudevent else None


def decode_cloudevent(value: bytes | None, headers: Mapping[str, bytes], position: int, time: int) -> TriggerFired:
    """Decodes a CloudEvent with the headers that `cloudevent_headers` returned. Raises Undecodable."""
    texts = {name: _text(name, header) for name, header in headers.items()}
    content_type = texts.get(_CONTENT_TYPE, "")
    media = _media_type(content_type)
    if not media.startswith(_STRUCTURED.decode()):
        attributes, data = _binary(texts), value or b""
        _check_charset(attributes.datacontenttype)
    elif media == "application/cloudevents+json":
        _check_charset(content_type)
        attributes, data = _structured(value or b"")
    elif media.startswith(_BATCH):
        raise Undecodable(Reason.CONTENT_TYPE, f"{media:.60} is a batch; publish each of its events as a record")
    else:
        raise Undecodable(Reason.CONTENT_TYPE, f"{media:.60} is not supported; use application/cloudevents+json")
    return _trigger_fired(attributes, data, position, time)


def _binary(texts: Mapping[str, str]) -> _Attributes:
    attributes = {name.removeprefix(_PREFIX): text for name, text in texts.items() if name.startswith(_PREFIX)}
    if "specversion" not in attributes and "ce-specversion" in texts:
        raise Undecodable(Reason.BAD_CLOUDEVENT, "header names begin with 'ce-', as in HTTP; on Kafka use 'ce_'")
    if _CONTENT_TYPE in texts:
        attributes["datacontenttype"] = texts[_CONTENT_TYPE]
    try:
        return msgspec.convert(attributes, _Attributes)
    except msgspec.ValidationError as error:
        raise Undecodable(Reason.BAD_CLOUDEVENT, str(error)) from error


def _structured(value: bytes) -> tuple[_Attributes, bytes]:
    check_json(value, "the value")
    try:
        event = _decode_structured(value)
        if event.data_base64 is None:
            return event, bytes(event.data)
        data = base64.b64decode(event.data_base64, validate=True)
    except (msgspec.ValidationError, binascii.Error, ValueError) as error:
        raise Undecodable(Reason.BAD_CLOUDEVENT, str(error)) from error
    if bytes(event.data) not in _NO_DATA:
        raise Undecodable(Reason.BAD_CLOUDEVENT, "data and data_base64 are both present; send only one of them")
    _check_charset(event.datacontenttype)
    return event, data


def _trigger_fired(attributes: _Attributes, data: bytes, position: int, time: int) -> TriggerFired:
    if attributes.specversion != "1.0":
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"specversion must be 1.0, not {attributes.specversion!r:.20}")
    if empty := [name for name in ("id", "source", "type", "trigger") if getattr(attributes, name) == ""]:
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"{empty[0]} must not be empty")
    if not _is_json(_media_type(attributes.datacontenttype)):
        raise Undecodable(Reason.CONTENT_TYPE, f"the data must be JSON, not {attributes.datacontenttype!r:.60}")
    at, recorded = event_times(attributes.time, time)
    event = TriggerFired(
        position=position,
        time=at,
        recorded=recorded,
        id=f"{attributes.source} {attributes.id}",
        source=attributes.source,
        rules=attributes.triggersrules or None,
        trigger=attributes.type if attributes.trigger is None else attributes.trigger,
        kwargs=_kwargs(data),
        trace=read_attributes({TRACEPARENT: attributes.traceparent, TRACESTATE: attributes.tracestate}),
    )
    check_limits(event)
    return event


def _kwargs(data: bytes) -> bytes:
    kwargs = payload(Raw(data.strip()), "data") or b"{}"
    check_payload(kwargs, "data")
    return kwargs


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"the header {name:.60} is not UTF-8: {error.reason}") from error


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type in ("", "application/json", "text/json") or media_type.endswith("+json")


def _check_charset(content_type: str | None) -> None:
    """Refuses a charset other than UTF-8, because JSON is read as UTF-8 and other bytes could become another text."""
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in _UNICODE:
            raise Undecodable(Reason.CONTENT_TYPE, f"charset {charset!r:.40} is not supported; use UTF-8")
