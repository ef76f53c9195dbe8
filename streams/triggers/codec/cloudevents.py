"""CloudEvents 1.0 on Kafka, binary and structured: a CloudEvent is a trigger that fired.

- trigger: the extension attribute `trigger` if there is one, else `type`;
- kwargs: the data, a JSON object; no data is `{}`;
- id: `source` and `id` together, which is what the specification makes unique;
- time: `time`;
- session: the record's key, as for every event. `subject` and `partitionkey` are ignored.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from triggers.codec.event_shapes import check_limits
from triggers.codec.event_times import times
from triggers.codec.json_payloads import check_json, check_payload
from triggers.codec.plain_json import payload
from triggers.codec.reasons import Reason
from triggers.core.events import TriggerFired
from triggers.errors import Undecodable

Headers = Sequence[tuple[str, bytes | None]]

_CONTENT_TYPE = "content-type"
_STRUCTURED = "application/cloudevents"


class _Attributes(Struct, frozen=True):
    """The attributes that mean something here; others are allowed and ignored."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime | None = None
    trigger: str | None = None
    datacontenttype: str | None = None


class _Structured(_Attributes, frozen=True):
    data: Raw = Raw()
    data_base64: str | None = None


_decode_structured = msgspec.json.Decoder(_Structured).decode


def is_cloudevent(headers: Headers) -> bool:
    """True for records that say in their headers that they are a CloudEvent."""
    return any(
        name == "ce_specversion" or (name == _CONTENT_TYPE and (value or b"").startswith(_STRUCTURED.encode()))
        for name, value in headers
    )


def decode_cloudevent(value: bytes | None, headers: Headers, position: int, time: int) -> TriggerFired:
    """Raises Undecodable."""
    texts = _texts(headers)
    media = _media_type(texts.get(_CONTENT_TYPE))
    if not media.startswith(_STRUCTURED):
        attributes, data = _binary(texts), value or b""
    elif media == "application/cloudevents+json":
        attributes, data = _structured(value or b"")
    else:
        raise Undecodable(Reason.CONTENT_TYPE, f"{media} is not supported, application/cloudevents+json is")
    return _fire(attributes, data, position, time)


def _binary(texts: Mapping[str, str]) -> _Attributes:
    given = {name.removeprefix("ce_"): text for name, text in texts.items() if name.startswith("ce_")}
    try:
        return msgspec.convert(given | {"datacontenttype": texts.get(_CONTENT_TYPE)}, _Attributes)
    except msgspec.ValidationError as error:
        raise Undecodable(Reason.BAD_CLOUDEVENT, str(error)) from error


def _structured(value: bytes) -> tuple[_Attributes, bytes]:
    check_json(value, "the value")
    try:
        event = _decode_structured(value)
        data = bytes(event.data) if event.data_base64 is None else base64.b64decode(event.data_base64, validate=True)
    except (msgspec.ValidationError, binascii.Error, ValueError) as error:
        raise Undecodable(Reason.BAD_CLOUDEVENT, str(error)) from error
    return event, data


def _fire(attributes: _Attributes, data: bytes, position: int, time: int) -> TriggerFired:
    if attributes.specversion != "1.0":
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"specversion {attributes.specversion!r:.20} is not supported, 1.0 is")
    if not attributes.id or not attributes.source:
        raise Undecodable(Reason.BAD_CLOUDEVENT, "id and source must not be empty")
    if not _is_json(_media_type(attributes.datacontenttype)):
        raise Undecodable(Reason.CONTENT_TYPE, f"the data must be JSON, it is {attributes.datacontenttype!r:.60}")
    at, recorded = times(attributes.time, time)
    event = TriggerFired(
        position=position,
        time=at,
        recorded=recorded,
        id=f"{attributes.source} {attributes.id}",
        trigger=attributes.type if attributes.trigger is None else attributes.trigger,
        kwargs=_kwargs(data),
    )
    check_limits(event)
    return event


def _kwargs(data: bytes) -> bytes:
    kwargs = payload(Raw(data.strip()), "data") or b"{}"
    check_payload(kwargs, "data")
    return kwargs


def _texts(headers: Headers) -> dict[str, str]:
    try:
        return {
            name: (value or b"").decode() for name, value in headers if name == _CONTENT_TYPE or name.startswith("ce_")
        }
    except UnicodeDecodeError as error:
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"a header is not UTF-8: {error.reason}") from error


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type in ("", "application/json", "text/json") or media_type.endswith("+json")
