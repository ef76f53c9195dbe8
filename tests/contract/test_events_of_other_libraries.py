"""Events that independent libraries write are decoded correctly, and these libraries can read what we write."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import avro.io
import avro.schema
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from triggers.codec import (
    DeadLetter,
    EventDecoder,
    decode_command,
    decode_dead_letter,
    encode_command,
    encode_dead_letter,
    encode_event,
)
from triggers.codec.avro_records import schema_versions
from triggers.core.commands import RunTask
from triggers.core.events import ConfigurationUpdated, Event, TaskFinished, TaskRetried, TriggerFired

EVENT = avro.schema.parse(schema_versions("trigger_event")[0])
COMMAND = avro.schema.parse(schema_versions("task_command")[0])
LETTER = avro.schema.parse(schema_versions("dead_letter")[0])
KWARGS = {"page": 3, "title": "Über uns: 😀", "answers": [None, 1.5, {"a": "b"}]}
AT = datetime(2024, 3, 1, 10, 20, 30, 123000, tzinfo=UTC)
AT_MS = 1_709_288_430_123


def avro_single_object(schema: avro.schema.Schema, record: dict[str, Any]) -> bytes:
    stream = BytesIO()
    stream.write(b"\xc3\x01" + schema.fingerprint("CRC-64-AVRO"))
    avro.io.DatumWriter(schema).write(record, avro.io.BinaryEncoder(stream))
    return stream.getvalue()


def avro_read(schema: avro.schema.Schema, value: bytes) -> Any:  # noqa: ANN401  # the library returns any type
    assert value[:10] == b"\xc3\x01" + schema.fingerprint("CRC-64-AVRO")
    return avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(BytesIO(value[10:])))


def decode(value: bytes | None, message: KafkaMessage | None = None) -> Event:
    headers: list[tuple[str, bytes | None]] | None = [*message.headers.items()] if message else None
    return EventDecoder(10_000).decode(value, headers, position=7, time=5)


def test_an_event_written_by_avro_is_decoded() -> None:
    record = {"id": "a1", "time": AT_MS, "source": "billing", "event": {"trigger": "t", "kwargs": b'{"a": 1}'}}
    record["rules"] = "order"

    event = decode(avro_single_object(EVENT, record))

    assert event == TriggerFired(
        position=7, time=AT_MS, recorded=5, id="a1", source="billing", rules="order", trigger="t", kwargs=b'{"a": 1}'
    )


@pytest.mark.parametrize(
    "event",
    [
        TriggerFired(position=7, time=5, trigger="t", kwargs=b'{"a": 1}'),
        ConfigurationUpdated(position=7, time=5, configuration=b'{"t": {}}', if_absent=True),
        TaskFinished(position=7, time=5, instance="t#0", attempt=3, result=b'{"a": 1}', log_level=40),
        TaskRetried(position=7, time=5, instance="t#0", replacement_kwargs=b"{}", exception_type="x.Y", cooldown_ms=9),
    ],
)
def test_avro_reads_what_we_write(event: Event) -> None:
    record = avro_read(EVENT, encode_event(event, source="test"))

    assert (record["id"], record["time"], record["source"]) == ("", 5, "test")
    assert type(event)(position=7, time=5, **record["event"]) == event


def test_commands_and_dead_letters_cross_both_ways() -> None:
    command = RunTask(
        session="s", instance="t#0", attempt=2, run="app.task", kwargs=b'{"t": {}}', using="celery", time=5
    )
    letter = DeadLetter(
        reason="bad json", topic="t", partition=1, offset=2, time=3, key=b"\xff", value=None, headers=[("h", b"\0")]
    )

    as_command = avro_read(COMMAND, encode_command(command))
    as_letter = avro_read(LETTER, encode_dead_letter(letter))

    assert decode_command(avro_single_object(COMMAND, as_command)) == command
    assert decode_dead_letter(avro_single_object(LETTER, as_letter)) == letter


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("separators", [None, (",", ":")])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_the_standard_library_is_decoded(
    ensure_ascii: bool, separators: tuple[str, str] | None, indent: int | None
) -> None:
    members = {"trigger": "pageReceived", "kwargs": KWARGS, "id": "a1", "time": AT.isoformat()}
    value = json.dumps(members, ensure_ascii=ensure_ascii, separators=separators, indent=indent)

    event = decode(value.encode())

    assert isinstance(event, TriggerFired)
    assert (event.trigger, event.id, event.time) == ("pageReceived", "a1", AT_MS)
    assert json.loads(event.kwargs) == KWARGS


def cloud_event(data: object = KWARGS, **attributes: object) -> CloudEvent:
    required = {"type": "pageReceived", "source": "/pages", "id": "a1", "specversion": "1.0"}
    return CloudEvent(attributes=required | attributes, data=data)  # type: ignore[arg-type]  # the library does not accept object


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_a_cloudevent_that_the_official_library_writes_fires_a_trigger(convert: Any) -> None:  # noqa: ANN401  # functions with two signatures
    event = cloud_event(
        time=AT.astimezone(timezone(timedelta(hours=2))), datacontenttype="application/json", subject="x"
    )
    message = convert(event, JSONFormat())

    decoded = decode(message.value, message)

    assert isinstance(decoded, TriggerFired)
    assert (decoded.trigger, decoded.id, decoded.time) == ("pageReceived", "/pages a1", AT_MS)
    assert json.loads(decoded.kwargs) == KWARGS


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_the_smallest_cloudevent_fires_a_trigger_without_kwargs(convert: Any) -> None:  # noqa: ANN401  # functions with two signatures
    message = convert(cloud_event(data=None, trigger="other"), JSONFormat())

    decoded = decode(message.value or None, message)

    assert isinstance(decoded, TriggerFired)
    assert (decoded.trigger, decoded.kwargs) == ("other", b"{}")


@pytest.mark.parametrize("convert", [to_binary, to_structured])
@pytest.mark.parametrize("name", ["ce_trigger", "Ce_Trigger", "ce_tenant", "ce_subject"])
def test_a_null_header_beside_those_of_the_library_changes_nothing(convert: Any, name: str) -> None:  # noqa: ANN401  # functions with two signatures
    message = convert(cloud_event(datacontenttype="application/json"), JSONFormat())
    headers: list[tuple[str, bytes | None]] = [*message.headers.items(), (name, None)]

    assert EventDecoder(10_000).decode(message.value, headers, 7, 5) == decode(message.value, message)


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_extensions_of_every_type_are_accepted(convert: Any) -> None:  # noqa: ANN401  # functions with two signatures
    event = cloud_event(tenant="a", priority=5, urgent=True, datacontenttype="application/vnd.page+json")
    message = convert(event, JSONFormat())

    decoded = decode(message.value, message)

    assert isinstance(decoded, TriggerFired)
    assert decoded.trigger == "pageReceived"


def test_binary_data_of_a_structured_cloudevent_is_decoded_as_json() -> None:
    event = cloud_event(data=json.dumps(KWARGS).encode(), datacontenttype="application/json")
    message = to_structured(event, JSONFormat())
    assert b"data_base64" in message.value

    decoded = decode(message.value, message)

    assert isinstance(decoded, TriggerFired)
    assert json.loads(decoded.kwargs) == KWARGS
