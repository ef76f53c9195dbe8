from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from triggers.codec import decode_command, encode_command
from triggers.codec.avro_records import avro_codec
from triggers.core.commands import RunTask

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
