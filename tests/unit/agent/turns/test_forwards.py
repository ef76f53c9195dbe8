"""Forwards are events of other sessions in the same transaction, counted, and stopped after eight in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.agent_bench import NAMES, Bench
from tests.support.records import PARTITIONS, fire, record
from tests.unit.agent.turns.test_agent import to

from triggers.agent.turns.forwards import MAX_FORWARDS, count_forwards
from triggers.codec import EventDecoder, decode_dead_letter
from triggers.core.events import TriggerFired
from triggers.kafka.records import Record
from triggers.store.batch import Output
from triggers.topology import partition_of

TASK = {"after": ["never"], "run": "app.a"}


def rules(forward: Mapping[str, object], key: bytes = b"s1", *, offset: int = 0) -> Record:
    text = json.dumps({"configuration": {"$edition": 2, "t_a": TASK, "$forward": [dict(forward)]}})
    return record(text.encode(), key, offset=offset)


def event_of(output: Output) -> TriggerFired:
    event = EventDecoder(5_000, None).decode(output.value, output.headers, 0, 1)
    assert isinstance(event, TriggerFired)
    return event


def read_back(output: Output, *, offset: int) -> Record:
    """The record that `$forward` has produced, as the owner of its session's partition reads it."""
    key = output.key or b""
    partition = partition_of(key, PARTITIONS)
    return record(output.value or b"", key, offset=offset, partition=partition, headers=output.headers)


async def test_a_forward_fires_a_trigger_in_another_session_under_an_id_of_its_own() -> None:
    bench = Bench()
    forward = {"on": {"trigger": "paid", "when": "kwargs.amount > 10"}, "to": "kwargs.customer", "as": "orderPaid"}
    paid: dict[str, Any] = {"amount": 30, "customer": "c7"}

    batch = bench.commit(rules(forward), fire("paid", offset=1, **paid), fire("paid", offset=2, amount=5))

    (output,) = to(NAMES.events, batch)
    event = event_of(output)
    assert (output.key, event.trigger, json.loads(event.kwargs)) == (b"c7", "orderPaid", paid)
    assert event.id == "forward:s1:1:0"


async def test_the_same_event_forwards_the_same_record_again() -> None:
    records = [rules({"on": "go", "to": "'other'"}), fire("go", offset=1)]

    first, second = Bench().commit(*records), Bench().commit(*records)

    assert first.outputs == second.outputs
    bench = Bench()
    bench.commit(record(b'{"configuration": {}}', b"other"), read_back(first.outputs[0], offset=1))
    bench.commit(read_back(second.outputs[0], offset=2))
    assert bench.metrics.registry.get_sample_value("triggers_events_total", {"outcome": "duplicate"}) == 1


async def test_sessions_that_forward_in_circles_are_stopped_after_eight_forwards() -> None:
    bench = Bench()
    bench.commit(rules({"on": "go", "to": "session.uid == 'a' ? 'b' : 'a'"}, b"a"))
    bench.commit(rules({"on": "go", "to": "session.uid == 'a' ? 'b' : 'a'"}, b"b"))

    batch = bench.commit(fire("go", b"a", offset=1))
    counts = []
    while outputs := to(NAMES.events, batch):
        (output,) = outputs
        counts.append(count_forwards(read_back(output, offset=0)))
        batch = bench.commit(read_back(output, offset=len(counts) + 1))

    assert counts == list(range(1, MAX_FORWARDS + 1))
    (output,) = to(NAMES.dead_letters, batch)
    letter = decode_dead_letter(output.value)
    assert letter.reason == "forwarded too often"
    assert "8 `$forward`s in a row" in letter.detail
    assert (letter.topic, letter.key) == ("test.events", b"b")
    assert event_of(Output(letter.topic, letter.key, letter.value)).trigger == "go"


@pytest.mark.parametrize("value", [b"many", b"", None, b"-3", b"9" * 10_000])
async def test_a_header_that_somebody_else_wrote_breaks_nothing(value: bytes | None) -> None:
    bench = Bench()
    bench.commit(rules({"on": "go", "to": "'other'"}))

    batch = bench.commit(
        record(b'{"trigger": "go"}', b"s1", offset=1, headers=[("triggers-forwards", value)]),
    )

    assert len(batch.outputs) == 1
