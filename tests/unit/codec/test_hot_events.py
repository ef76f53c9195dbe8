"""The events of the hot path are read as fastavro reads them, and no damaged bytes are read as something else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from triggers.codec import EventDecoder, encode_event
from triggers.codec.avro_records import HEADER_BYTES, avro_codec
from triggers.codec.hot_events import FINISHED, FIRE, STARTED, read_finished, read_fire, read_start, read_started
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskStarted, TimerFired, TriggerFired
from triggers.errors import Undecodable

EVENTS = avro_codec("trigger_event")
READERS = {FIRE: read_fire, STARTED: read_started, FINISHED: read_finished}
KINDS = ("TriggerFired", "TaskStarted", "TaskFinished")

IDS = st.none() | st.text(min_size=1, max_size=100)
TIMES = st.integers(0, 2**41)
NUMBERS = st.integers(0, 2**31 - 1)
NAMES = st.text(max_size=100)
PAYLOADS = st.just(b"{}") | st.text(max_size=300).map(lambda text: b'{"a":"' + text.encode().hex().encode() + b'"}')
FIRES = st.builds(TriggerFired, trigger=NAMES, kwargs=PAYLOADS, id=IDS, time=TIMES)
STARTS = st.builds(TaskStarted, instance=NAMES, attempt=NUMBERS, id=IDS, time=TIMES)
ENDS = st.builds(TaskFinished, instance=NAMES, attempt=NUMBERS, result=PAYLOADS, log_level=NUMBERS, id=IDS, time=TIMES)
HOT: st.SearchStrategy[TriggerFired | TaskStarted | TaskFinished] = FIRES | STARTS | ENDS


def general(data: bytes) -> tuple[object, ...] | None:
    """Returns what fastavro decodes, or None if it is another event or undecodable."""
    try:
        record = EVENTS.decode(data)
    except Undecodable:
        return None
    name, fields = record["event"]
    if name.removeprefix("triggers.") not in KINDS:
        return None
    return record["id"], record["time"], record["source"], *fields.values()


def hot(data: bytes) -> tuple[object, ...] | None:
    """Returns what the hand-written code reads, or None if it leaves the event to fastavro."""
    event_id, time, source, kind = read_start(data, HEADER_BYTES)
    if kind < 0 or data[kind] not in READERS:
        return None
    fields = READERS[data[kind]](data, kind)
    return None if fields is None else (event_id, time, source, *fields)


@given(HOT, st.text(max_size=20))
@example(TriggerFired(trigger="t" * 63, kwargs=b"{}", id="i" * 63), "s" * 63)
@example(TaskFinished(instance="t" * 63, attempt=2**31 - 1, id="i" * 63), "s" * 63)
def test_an_event_is_read_as_fastavro_reads_it(event: TriggerFired | TaskStarted | TaskFinished, source: str) -> None:
    data = encode_event(event, source)

    fields = hot(data)

    assert fields in (None, general(data))
    name = event.trigger if isinstance(event, TriggerFired) else event.instance
    is_short = all(len(text.encode()) < 64 for text in (name, event.id or "", source))
    assert (fields is not None) == is_short


@given(HOT, st.data())
def test_damaged_bytes_are_never_read_as_something_else(event: Event, data: st.DataObject) -> None:
    whole = bytearray(encode_event(event))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(HEADER_BYTES, len(whole) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(HEADER_BYTES, len(whole)))])

    assert hot(damaged) in (None, general(damaged))


@pytest.mark.parametrize(
    "event",
    [
        TaskFailed(instance="t#0", exception_type="x.Y"),
        TimerFired(instance="t#0", attempt=1, due=5),
        TriggerFired(trigger="t", rules="order"),
        TaskStarted(instance="t#0", rules="order"),
        TaskFinished(instance="t#0", rules="order"),
        TaskStarted(instance="t#0", attempt=-1),
        TaskFinished(instance="t#0", log_level=-1),
    ],
    ids=repr,
)
def test_other_events_are_left_to_fastavro(event: Event) -> None:
    assert hot(encode_event(event)) is None


@given(HOT)
def test_both_decoders_return_the_same_event(event: Event) -> None:
    decoder = EventDecoder(900_000)

    quick, slow = encode_event(event, "short"), encode_event(event, "s" * 64)

    assert _decoded(decoder, quick) == _decoded(decoder, slow)


def _decoded(decoder: EventDecoder, data: bytes) -> object:
    """The event without its source, or why there is none."""
    try:
        return structs.replace(decoder.decode(data, None, 7, 123), source=None)
    except Undecodable as error:
        return error.reason
