"""Fires are read from plain JSON, lines, and CloudEvents in all modes; a wrong one refuses all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from triggers.api.event_bodies import BATCH, LINES, MAX_EVENTS, PLAIN, STRUCTURED, Fire, read_fires
from triggers.api.problems import Kind, ProblemError
from triggers.core.events import TriggerFired
from triggers.errors import CallError, Undecodable

CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "shop", "type": "paid", "subject": "o-1", "data": {"a": 1}}
FIRED = TriggerFired(trigger="paid", kwargs=b'{"a":1}', id="shop 1", source="shop")


def read(
    body: bytes | object, media: str, headers: Sequence[tuple[str, str]] = (), event_id: str | None = None
) -> list[Fire]:
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return read_fires(encoded, media, headers, event_id, 1000)


def test_an_event_in_plain_json() -> None:
    fires = read(b'{"session": "o-1", "trigger": "paid", "kwargs": {"a":1}, "id": "x", "time": 5}', PLAIN)

    assert fires == [Fire("o-1", TriggerFired(trigger="paid", kwargs=b'{"a":1}', id="x", time=5))]


@pytest.mark.parametrize("media", LINES)
def test_lines_keep_their_order_and_blank_ones_are_left_out(media: str) -> None:
    fires = read(b'{"session":"a","trigger":"x"}\n\n{"session":"b","trigger":"y"}\r\n', media)

    assert [(uid, event.trigger) for uid, event in fires] == [("a", "x"), ("b", "y")]


def test_a_structured_cloud_event_belongs_to_its_partition_key_or_else_its_subject() -> None:
    assert read(CLOUD_EVENT, STRUCTURED) == [Fire("o-1", FIRED)]
    assert read(CLOUD_EVENT | {"partitionkey": "p"}, f"{STRUCTURED}; charset=utf-8")[0].uid == "p"


def test_a_batch_of_cloud_events() -> None:
    assert [uid for uid, _ in read([CLOUD_EVENT, CLOUD_EVENT | {"subject": "o-2"}], BATCH)] == ["o-1", "o-2"]


def test_a_binary_cloud_event_has_percent_encoded_attributes() -> None:
    headers = [
        ("CE-SpecVersion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "shop"),
        ("ce-type", '"paid"'),
        ("ce-subject", "o%C3%B6%2F1"),
        ("content-type", PLAIN),
    ]

    assert read(b'{"a":1}', PLAIN, headers) == [Fire("oö/1", FIRED)]


@pytest.mark.parametrize("media", [PLAIN, *LINES])
def test_only_fires_are_accepted(media: str) -> None:
    line = b'{"type": "replay", "session": "a", "instance": "t#0"}'

    with pytest.raises((CallError, ProblemError)) as raised:
        read(line, media)

    errors = getattr(raised.value, "errors", [])
    assert "only fires are accepted" in (errors[0].detail if errors else str(raised.value))


def test_wrong_events_of_several_are_listed_with_their_number_and_none_is_returned() -> None:
    lines = b'{"session":"a","trigger":"x"}\n{"session":"a"}\n{"session":"","trigger":"x"}\nno json'

    with pytest.raises(ProblemError) as raised:
        read(lines, LINES[0])

    assert raised.value.kind is Kind.INVALID_EVENT
    assert [error.index for error in raised.value.errors] == [1, 2, 3]


@pytest.mark.parametrize(
    ("body", "media", "headers"),
    [
        (b'{"session":"a","trigger":"x","session":"b"}', PLAIN, ()),
        (b'{"session":"a","trigger":"x","kwarg":{}}', PLAIN, ()),
        (b'{"session":"a","trigger":"x","kwargs":[]}', PLAIN, ()),
        (b'{"session":"a","trigger":""}', PLAIN, ()),
        (b'{"session":"a","trigger":"x","kwargs":{"a":NaN}}', PLAIN, ()),
        (b"[]", PLAIN, ()),
        ({**CLOUD_EVENT, "subject": None}, STRUCTURED, ()),
        ({**CLOUD_EVENT, "subject": 5}, STRUCTURED, ()),
        ({**CLOUD_EVENT, "specversion": "0.3"}, STRUCTURED, ()),
        (b"{}", PLAIN, [("ce-id", "1")]),
        (b"{}", PLAIN, [("ce-specversion", "1.0"), ("ce-id", "%FF"), ("ce-source", "s"), ("ce-type", "t")]),
    ],
)
def test_an_event_that_no_worker_would_apply_is_refused(
    body: bytes | object, media: str, headers: Sequence[tuple[str, str]]
) -> None:
    with pytest.raises((CallError, Undecodable)):
        read(body, media, headers)


@pytest.mark.parametrize(("body", "media"), [(b"\n\n", LINES[0]), (b"[]", BATCH), (b"{}", BATCH), (b"[1]", BATCH)])
def test_a_body_without_events_is_refused(body: bytes, media: str) -> None:
    with pytest.raises(ProblemError):
        read(body, media)


@pytest.mark.parametrize("media", ["", "text/plain", "application/cloudevents+avro"])
def test_another_media_type_is_refused_with_the_supported_ones(media: str) -> None:
    with pytest.raises(ProblemError, match=r"send application/json, application/x-ndjson") as raised:
        read(b"{}", media)

    assert raised.value.kind is Kind.UNSUPPORTED_MEDIA_TYPE


def test_too_many_events_are_refused() -> None:
    with pytest.raises(ProblemError, match=f"send at most {MAX_EVENTS}") as raised:
        read(b"{}\n" * (MAX_EVENTS + 1), LINES[0])

    assert raised.value.kind is Kind.TOO_LARGE


def test_the_key_is_the_id_of_one_event_and_a_prefix_for_several() -> None:
    line = b'{"session":"a","trigger":"x"}'

    assert [event.id for _, event in read(line, PLAIN, event_id="k")] == ["k"]
    assert [event.id for _, event in read(line + b"\n" + line, LINES[0], event_id="k")] == ["k/0", "k/1"]
    assert [event.id for _, event in read(CLOUD_EVENT, STRUCTURED, event_id="k")] == ["shop 1"]
