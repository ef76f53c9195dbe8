"""Events survive encoding and decoding as JSON lines."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from tests.property.test_replayed_logs import random_log

from triggers.codec.event_lines import decode_line, encode_line
from triggers.core.events import ConfigurationUpdated, TaskFinished, TriggerFired
from triggers.errors import CallError, Undecodable


@pytest.mark.parametrize("seed", range(8))
def test_every_event_of_a_random_session_survives_encoding_and_decoding(seed: int) -> None:
    log, session = random_log(seed), 'ü "/#'

    assert [decode_line(encode_line(session, event), 0) for event in log] == [(session, event) for event in log]


def test_a_line_of_another_service_is_read() -> None:
    line = b'{"session": "q-1", "trigger": "page", "kwargs": {"n": 1}, "id": "a", "time": "1970-01-01T00:00:01Z"}'

    assert decode_line(line, 7) == (
        "q-1",
        TriggerFired(position=7, time=1000, id="a", trigger="page", kwargs=b'{"n": 1}'),
    )


def test_a_line_is_one_line_though_its_payload_has_several() -> None:
    event = TaskFinished(position=3, instance="t_a#0", result=b'{\r\n  "a": "x\\n"\n}')

    line = encode_line("s", event)

    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line)["result"] == {"a": "x\n"}


def test_a_line_leaves_out_default_values() -> None:
    event = ConfigurationUpdated(position=3, time=5, configuration=b'{"t_a":{}}')

    assert encode_line("s", event) == b'{"session":"s","time":5,"configuration":{"t_a":{}},"offset":3}'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"trigger": "page"}',
        b'{"session": 3, "trigger": "page"}',
        b'{"session": "", "trigger": "page"}',
        b'{"session": "s", "trigger": "page", "offset": "x"}',
        b'{"session": "s", "trigger": "page", "kwarg": {}}',
    ],
)
def test_a_malformed_line_is_refused(line: bytes) -> None:
    with pytest.raises((CallError, Undecodable)):
        decode_line(line, 0)


def test_a_position_is_the_offset_or_the_number_of_the_line() -> None:
    event = TriggerFired(trigger="page", position=12)

    assert decode_line(encode_line("s", event), 99) == ("s", event)
    assert decode_line(b'{"session": "s", "trigger": "page"}', 99) == ("s", replace(event, position=99))
