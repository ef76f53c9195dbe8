from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from triggers.codec import decode_command, encode_command, encode_event
from triggers.codec.avro_records import avro_codec
from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskFinished, TaskStarted, TriggerFired
from triggers.errors import CallError

NUMBERS = st.integers(0, 2**31 - 1)
FIELDS_OF_COMMANDS = [each.name for each in fields(RunTask)]


@given(
    st.builds(
        RunTask,
        session=st.text(),
        instance=st.text(max_size=200),
        attempt=NUMBERS,
        run=st.text(),
        kwargs=st.binary(max_size=2000),
        using=st.none() | st.text(),
        depth=NUMBERS,
        time=st.integers(-(2**63), 2**63 - 1),
    )
)
def test_a_command_is_written_as_fastavro_writes_it(command: RunTask) -> None:
    record = {name: getattr(command, name) for name in FIELDS_OF_COMMANDS}

    assert encode_command(command) == avro_codec("task_command").encode(record)
    assert decode_command(encode_command(command)) == command


def test_more_times_than_the_cache_holds_are_encoded() -> None:
    for time in range(2_000, 30_000):
        command = RunTask(session="s", instance="t#0", attempt=1, run="r", time=time)
        assert decode_command(encode_command(command)).time == time


ANY_NUMBER = st.integers(-(2**65), 2**65) | NUMBERS
ENVELOPE: dict[str, st.SearchStrategy[Any]] = {
    "id": st.none() | st.text(),
    "time": ANY_NUMBER,
    "source": st.none() | st.text(),
    "rules": st.none() | st.text(max_size=3),
}
ATTEMPT: dict[str, st.SearchStrategy[Any]] = {"instance": st.text(max_size=200), "attempt": ANY_NUMBER}
PAYLOADS = st.binary(max_size=2000)


@given(
    st.builds(TriggerFired, trigger=st.text(), kwargs=PAYLOADS, **ENVELOPE)
    | st.builds(TaskStarted, **ATTEMPT, **ENVELOPE)
    | st.builds(TaskFinished, result=PAYLOADS, log_level=ANY_NUMBER, **ATTEMPT, **ENVELOPE),
    st.text(),
)
@example(TaskFinished(instance="t#63", attempt=2**31 - 1, log_level=2**31 - 1, time=2**63 - 1), "")
@example(TaskStarted(instance="t#0", attempt=2**31), "celery")
@example(TriggerFired(trigger="\ud800"), "celery")
def test_an_event_is_written_as_fastavro_writes_it(event: Event, source: str) -> None:
    assert _outcome(lambda: encode_event(event, source)) == _outcome(lambda: _by_fastavro(event, source))


@pytest.mark.parametrize(
    "field",
    [
        {"trigger": 5},
        {"kwargs": None},
        {"kwargs": "{}"},
        {"id": 5},
        {"source": 5},
        {"rules": 5},
        {"time": "now"},
        {"time": None},
    ],
)
def test_a_value_of_another_type_is_refused_as_fastavro_refuses_it(field: dict[str, Any]) -> None:
    event = TriggerFired(**({"trigger": "t"} | field))

    with pytest.raises(CallError):
        encode_event(event)


def _by_fastavro(event: Event, source: str) -> bytes:
    envelope = {"id": event.id or "", "time": event.time, "source": event.source or source, "rules": event.rules or ""}
    fields = (f"triggers.{type(event).__name__}", structs.asdict(event))
    return avro_codec("trigger_event").encode(envelope | {"event": fields})


def _outcome(encode: Callable[[], bytes]) -> bytes | str:
    try:
        return encode()
    except CallError as error:
        return str(error)
