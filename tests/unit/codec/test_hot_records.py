from __future__ import annotations

from dataclasses import fields

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from triggers.codec import EventDecoder, decode_command, encode_command, encode_event
from triggers.codec.avro_records import HEADER_BYTES, avro_codec
from triggers.codec.hot_records import read_trigger_fired
from triggers.core.commands import RunTask
from triggers.core.events import TaskStarted, TriggerFired
from triggers.errors import Undecodable

EVENTS = avro_codec("trigger_event")
FIRES = st.builds(
    TriggerFired,
    trigger=st.text(max_size=100),
    kwargs=st.just(b"{}") | st.text(max_size=300).map(lambda text: b'{"a":"' + text.encode().hex().encode() + b'"}'),
    id=st.none() | st.text(min_size=1, max_size=100),
    time=st.integers(0, 2**41),
)


def general(data: bytes) -> tuple[object, ...] | None:
    """Returns what fastavro decodes, or None if it is another event or undecodable."""
    try:
        record = EVENTS.decode(data)
    except Undecodable:
        return None
    name, fields = record["event"]
    if not name.endswith("Fired"):
        return None
    return record["id"], record["time"], record["source"], fields["trigger"], fields["kwargs"]


@given(FIRES, st.text(max_size=20))
@example(TriggerFired(trigger="t" * 63, kwargs=b"{}", id="i" * 63), "s" * 63)
def test_a_fire_is_read_as_fastavro_reads_it(fire: TriggerFired, source: str) -> None:
    data = encode_event(fire, source)

    fields = read_trigger_fired(data, HEADER_BYTES)

    assert fields in (None, general(data))
    short = all(len(text.encode()) < 64 for text in (fire.trigger, fire.id or "", source))
    assert (fields is not None) == short


@given(FIRES, st.data())
def test_damaged_bytes_are_never_read_as_something_else(fire: TriggerFired, data: st.DataObject) -> None:
    whole = bytearray(encode_event(fire))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(HEADER_BYTES, len(whole) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(HEADER_BYTES, len(whole)))])

    assert read_trigger_fired(damaged, HEADER_BYTES) in (None, general(damaged))


def test_other_events_are_left_to_fastavro() -> None:
    assert read_trigger_fired(encode_event(TaskStarted(instance="t#0")), HEADER_BYTES) is None


@given(FIRES)
def test_both_decoders_return_the_same_event(fire: TriggerFired) -> None:
    decoder = EventDecoder(900_000)

    hot, slow = encode_event(fire, "short"), encode_event(fire, "s" * 64)

    assert _decoded(decoder, hot) == _decoded(decoder, slow)


def _decoded(decoder: EventDecoder, data: bytes) -> object:
    """The event without its source, or why there is none."""
    try:
        return structs.replace(decoder.decode(data, None, 7, 123), source=None)
    except Undecodable as error:
        return error.reason


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
