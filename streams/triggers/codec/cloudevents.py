"""CloudEvents 1.0 on Kafka, binary and structured: a CloudEvent is a trigger that fired.

- trigger: the extension attribute `trigger` if there is one, else `type`;
- kwargs: the data, a JSON object; no data is `{}`;
- id: `source` and `id` together, which is what the specification makes unique;
- time: `time`;
- session: the record's key, as for every event. `subject`, `partitionkey` and other extensions are ignored.

A null header, and a null in structured mode, is an absent attribute. Header names and media types are compared without
regard to case; of a repeated header the last one counts, as in Kafka's own `lastHeader`.
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
from triggers.codec.event_times import times
from triggers.codec.json_payloads import check_json, check_payload
from triggers.codec.plain_json import payload
from triggers.codec.reasons import Reason
from triggers.core.events import TriggerFired
from triggers.errors import Undecodable

Headers = Sequence[tuple[str, bytes | None]]

_CONTENT_TYPE: Final = "content-type"
_PREFIX: Final = "ce_"
_PREFIX_OF_HTTP: Final = "ce-"
_STRUCTURED: Final = b"application/cloudevents"
_BATCH: Final = "application/cloudevents-batch"
_UNICODE: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


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


_NO_DATA: Final = (b"", b"null")
_decode_structured = msgspec.json.Decoder(_Structured).decode


def cloudevent_headers(headers: Headers) -> dict[str, bytes] | None:
    """The headers that concern CloudEvents, by name in lower case; None: the record does not claim to be one.

    It claims to be one with a content type of CloudEvents, a `ce_specversion` or a `ce_type`, and with the prefix that
    HTTP has: its value must not be taken for an event of another format, which would fire another trigger.
    """
    last: dict[str, bytes | None] = {}
    for given, value in headers:
        name = given.lower()
        if name.startswith((_PREFIX, _PREFIX_OF_HTTP)) or name == _CONTENT_TYPE:
            last[name] = value
    found = {name: value for name, value in last.items() if value is not None}
    is_one = not found.keys().isdisjoint(("ce_specversion", "ce_type", "ce-specversion")) or found.get(
        _CONTENT_TYPE, b""
    ).strip().lower().startswith(_STRUCTURED)
    return found if is_one else None


def decode_cloudevent(value: bytes | None, headers: Mapping[str, bytes], position: int, time: int) -> TriggerFired:
    """`headers`: as `cloudevent_headers` returns them. Raises Undecodable."""
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
        raise Undecodable(Reason.CONTENT_TYPE, f"{media:.60} is not supported, application/cloudevents+json is")
    return _fire(attributes, data, position, time)


def _binary(texts: Mapping[str, str]) -> _Attributes:
    given = {name.removeprefix(_PREFIX): text for name, text in texts.items() if name.startswith(_PREFIX)}
    if "specversion" not in given and "ce-specversion" in texts:
        raise Undecodable(Reason.BAD_CLOUDEVENT, "its headers begin with 'ce-', as in HTTP; in Kafka it is 'ce_'")
    if _CONTENT_TYPE in texts:
        given["datacontenttype"] = texts[_CONTENT_TYPE]
    try:
        return msgspec.convert(given, _Attributes)
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
        raise Undecodable(Reason.BAD_CLOUDEVENT, "data and data_base64 exclude each other")
    _check_charset(event.datacontenttype)
    return event, data


def _fire(attributes: _Attributes, data: bytes, position: int, time: int) -> TriggerFired:
    if attributes.specversion != "1.0":
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"specversion {attributes.specversion!r:.20} is not supported, 1.0 is")
    if empty := [name for name in ("id", "source", "type", "trigger") if getattr(attributes, name) == ""]:
        raise Undecodable(Reason.BAD_CLOUDEVENT, f"{empty[0]} must not be empty")
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
    """JSON is read as UTF-8; read so, bytes of another character set could be another text."""
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in _UNICODE:
            raise Undecodable(Reason.CONTENT_TYPE, f"charset {charset!r:.40} is not supported, UTF-8 is")
