from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest
from tests.support.agent_bench import NAMES, Bench
from tests.support.questionnaires import CONFIGURATION
from tests.support.records import PARTITIONS, fire, record

from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.size_limits import size_of_output
from triggers.codec import EventDecoder, decode_command, decode_dead_letter
from triggers.codec.confluent_framing import SchemaSource
from triggers.core.state.rows import header_key
from triggers.errors import BrokerUnavailable
from triggers.kafka.records import Record
from triggers.process.exits import ExitCode, Stop
from triggers.queries.index_rows import REACH
from triggers.store.batch import MAX_OUTPUT_BYTES, Batch, Output
from triggers.topology import partition_of

HOME = partition_of(b"s1", PARTITIONS)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def configure(key: bytes = b"s1", *, offset: int = 0) -> Record:
    return record(json.dumps({"configuration": CONFIGURATION}).encode(), key, offset=offset)


def to(topic: str, batch: Batch) -> list[Output]:
    return [output for output in batch.outputs if output.topic == topic]


async def test_a_batch_writes_each_touched_session_once_and_its_commands_in_order(bench: Bench) -> None:
    batch = bench.decide(configure(), fire("firstPageReceived", offset=1), fire("questionnaireComplete", offset=2))

    assert [decode_command(o.value).instance for o in to(NAMES.commands, batch)] == ["t_importSubject#0"]
    assert [o.key for o in batch.outputs] == [b"s1"]
    assert batch.offsets == {HOME: 3}
    assert header_key("s1") in batch.rows[HOME]


async def test_a_batch_is_truncated_where_its_commands_exceed_the_limit(bench: Bench) -> None:
    bench.output_bytes = MAX_OUTPUT_BYTES - 100
    other = next(key for n in range(100) if partition_of(key := b"o%d" % n, PARTITIONS) != HOME)
    rules = json.dumps({"configuration": {"t": {"after": ["a"], "andEvery": "a", "run": "app.t"}}}).encode()

    batch = bench.decide(
        record(rules, b"s1", offset=0),
        *(fire("a", offset=n) for n in range(1, 6)),
        record(rules, other, offset=0, partition=partition_of(other, PARTITIONS)),
    )

    commands = to(NAMES.commands, batch)
    sizes = [size_of_output(o) for o in commands]
    assert sum(sizes[:-1]) < 100 <= sum(sizes)
    assert batch.is_truncated
    assert batch.offsets == {HOME: len(commands) + 1}
    assert batch.size == len(commands) + 1
    assert batch.rows.keys() == {HOME, partition_of(other, PARTITIONS)}
    assert batch.rows[partition_of(other, PARTITIONS)] == {}


@pytest.mark.parametrize(("key", "said"), [(None, "missing"), (b"", "empty")])
async def test_a_record_without_a_usable_key_is_a_dead_letter_that_says_why(
    bench: Bench, key: bytes | None, said: str
) -> None:
    batch = bench.decide(record(b"{}", key, partition=HOME))

    (letter,) = to(NAMES.dead_letters, batch)
    assert said in decode_dead_letter(letter.value).detail


async def test_a_batch_that_takes_no_more_leaves_its_records_for_the_next(bench: Bench) -> None:
    batch = Batch({HOME: [configure(), fire("a", offset=1)]}, frozenset(bench.rows))
    batch.take_no_more()

    bench.agent.process(batch)

    assert (batch.is_truncated, batch.records[HOME], batch.offsets) == (True, [], {})


async def test_a_batch_whose_output_fits_is_not_truncated(bench: Bench) -> None:
    batch = bench.decide(configure(), fire("firstPageReceived", offset=1), fire("questionnaireComplete", offset=2))

    assert not batch.is_truncated


async def test_two_batches_lead_to_the_same_result_as_one(bench: Bench) -> None:
    records = [configure(), fire("firstPageReceived", offset=1), fire("questionnaireComplete", offset=2)]
    other = Bench()

    bench.commit(*records)
    for one in records:
        other.commit(one)

    assert bench.rows == other.rows


async def test_a_batch_that_takes_the_place_of_another_leads_to_the_same_result_as_both(bench: Bench) -> None:
    other_session = next(key for n in range(100) if partition_of(key := b"o%d" % n, PARTITIONS) != HOME)
    records = [
        configure(),
        fire("firstPageReceived", offset=1),
        configure(other_session),
        fire("questionnaireComplete", offset=2),
    ]
    at_once = Bench()
    whole = at_once.commit(*records)

    kept = bench.decide(*records[:1])
    kept = bench.decide(*records[1:3], before=kept)
    batch = bench.decide(*records[3:], before=kept)

    assert (batch.offsets, batch.outputs, batch.size) == (whole.offsets, whole.outputs, 4)
    assert {p: dict(changes) for p, changes in batch.rows.items()} == whole.rows
    for counted in ("rows", "commands"):
        assert getattr(bench.metrics, counted)._value.get() >= getattr(at_once.metrics, counted)._value.get() > 0


async def test_a_batch_that_decides_nothing_keeps_the_offsets_of_the_one_before(bench: Bench) -> None:
    kept = bench.decide(configure(), fire("firstPageReceived", offset=1))
    batch = Batch({HOME: [fire("questionnaireComplete", offset=2)]}, frozenset(bench.rows), kept)
    batch.take_no_more()

    bench.agent.process(batch)

    assert (batch.is_truncated, batch.offsets, batch.size) == (True, {HOME: 2}, 2)


async def test_somebody_waits_for_a_batch_with_commands_and_for_one_with_dead_letters(bench: Bench) -> None:
    kept = bench.decide(configure(), fire("firstPageReceived", offset=1))

    assert not kept.is_awaited
    assert bench.decide(fire("questionnaireComplete", offset=2), before=kept).is_awaited
    assert Bench().decide(record(b"?")).is_awaited


async def test_a_session_is_decoded_once_and_kept_for_the_next_batch(bench: Bench) -> None:
    bench.commit(configure())
    bench.commit(fire("firstPageReceived", offset=1))

    assert bench.metrics.loaded_sessions._value.get() == 1
    assert len(bench.cache) == 1


async def test_after_an_abort_a_batch_is_decided_again_from_the_committed_rows(bench: Bench) -> None:
    bench.commit(configure())
    first = bench.decide(fire("firstPageReceived", offset=1), fire("questionnaireComplete", offset=2))

    bench.agent.forget()
    again = bench.decide(fire("firstPageReceived", offset=1), fire("questionnaireComplete", offset=2))

    assert again.rows == first.rows
    assert again.outputs == first.outputs


async def test_a_configuration_of_an_aborted_batch_is_written_by_the_next_one(bench: Bench) -> None:
    first = bench.decide(configure())
    bench.agent.forget()

    assert bench.commit(configure()).rows == first.rows


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(b"garbage"), "unknown format"),
        (record(None), "empty value"),
        (record(b'{"trigger": "a"}', key=None, partition=0), "bad key"),
        (record(b'{"trigger": "a", "kwargs": {"x": "%s"}}' % (b"x" * 6_000)), "payload too large"),
        (record(b'{"type": "skip", "instance": "t_none#0"}'), "InstanceNotFound"),
        (record(b'{"configuration": {"t_a": {"after": 3}}}'), "InvalidConfiguration"),
    ],
)
async def test_a_bad_record_is_a_dead_letter_and_harms_no_other(bench: Bench, bad: Record, reason: str) -> None:
    batch = bench.decide(configure(), bad, fire("firstPageReceived"), fire("questionnaireComplete"))

    (letter,) = to(NAMES.dead_letters, batch)
    assert decode_dead_letter(letter.value).reason == reason
    assert len(to(NAMES.commands, batch)) == 1


async def test_a_record_on_the_wrong_partition_is_forwarded_and_not_applied(bench: Bench) -> None:
    lost = record(b'{"trigger": "a"}', b"s1", partition=(HOME + 1) % PARTITIONS)

    batch = bench.decide(lost)

    (forwarded,) = batch.outputs
    assert (forwarded.topic, forwarded.partition, forwarded.value) == (NAMES.events, HOME, b'{"trigger": "a"}')
    assert [rows.keys() for rows in batch.rows.values()] == [{REACH}]


async def test_a_record_on_the_wrong_partition_is_not_applied_even_if_the_session_has_rows_there(bench: Bench) -> None:
    elsewhere = (HOME + 1) % PARTITIONS
    bench.commit(configure())
    bench.rows[elsewhere].write(dict(bench.rows[HOME].scan(b"")))

    batch = bench.decide(record(b'{"trigger": "a"}', b"s1", partition=elsewhere, offset=1))

    assert [(output.topic, output.partition) for output in batch.outputs] == [(NAMES.events, HOME)]
    assert not any(batch.rows.values())


async def test_an_event_whose_command_would_be_too_large_is_refused_alone() -> None:
    bench = Bench(largest_command=2_000)
    rules = record(
        b'{"configuration": {"t_ab": {"after": ["a", "b"], "run": "x"}, "t_c": {"after": ["c"], "run": "y"}}}'
    )

    batch = bench.decide(rules, fire("a", x="y" * 2_000), fire("b", offset=2), fire("c", offset=3))

    assert [decode_dead_letter(o.value).offset for o in to(NAMES.dead_letters, batch)] == [2]
    assert [decode_command(o.value).instance for o in to(NAMES.commands, batch)] == ["t_c#0"]


async def test_refusing_an_event_leads_to_the_state_of_a_log_without_it() -> None:
    bench, without = Bench(largest_row=2_000), Bench()
    small = [configure(), fire("pageReceived", offset=2, page=1), fire("questionnaireComplete", offset=3)]
    large = fire("pageReceived", offset=1, responses="x" * 3_000)

    bench.commit(small[0], large, *small[1:])
    without.commit(*small)

    assert bench.rows == without.rows


async def test_a_bug_names_the_record_and_ends_the_worker(bench: Bench) -> None:
    bench.rows[HOME][header_key("s1")] = b"\xc1 no header"

    with pytest.raises(Stop, match=r"test\.events partition \d offset 7") as stopped:
        bench.decide(fire("a", offset=7))

    assert stopped.value.code is ExitCode.ENGINE_BUG


async def test_the_whole_batch_waits_for_a_registry_that_does_not_answer() -> None:
    class Away(SchemaSource):
        def schema(self, schema_id: int) -> str:
            raise BrokerUnavailable(f"no answer for {schema_id}")

    bench = Bench()
    bench.agent._context = _with_decoder(bench.agent._context, lambda: EventDecoder(5_000, Away()))

    with pytest.raises(BrokerUnavailable):
        bench.decide(record(b"\0\0\0\0\1abc"))


def _with_decoder(rules: TurnContext, decoder: Callable[[], EventDecoder]) -> TurnContext:
    return dataclasses.replace(rules, decoder=decoder())


async def test_outcomes_are_counted(bench: Bench) -> None:
    bench.decide(configure(), fire("nobodyUsesThis", offset=1))

    text = bench.metrics.text()
    assert b'triggers_events_total{outcome="applied"} 1.0' in text
    assert b'triggers_events_total{outcome="unused"} 1.0' in text
