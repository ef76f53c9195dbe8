"""Cancelling an instance cancels its command, on the topic and under the key of the command."""

from __future__ import annotations

import json

from tests.support.agent_bench import NAMES, Bench
from tests.support.records import fire, record
from tests.unit.agent.turns.test_agent import to

from triggers.codec import decode_command_or_cancellation
from triggers.core.commands import CancelTask
from triggers.kafka.records import Record

GPU = NAMES.commands_of("gpu")


def rules(*, terminate: bool = False, queue: str | None = None, offset: int = 0) -> Record:
    task = {"after": ["go"], "run": "app.a", "cancelOn": {"on": ["stop"], "terminate": terminate}}
    configuration = {"$edition": 2, "t_a": task | ({"queue": queue} if queue else {})}
    return record(json.dumps({"configuration": configuration}).encode(), b"s1", offset=offset)


async def test_a_cancellation_follows_the_command_on_the_same_topic_under_the_same_key() -> None:
    bench = Bench()

    batch = bench.commit(rules(terminate=True), fire("go", offset=1), fire("stop", offset=2))

    command, cancellation = to(NAMES.commands, batch)
    assert (command.key, cancellation.key) == (b"s1", b"s1")
    decoded = decode_command_or_cancellation(cancellation.value)
    assert decoded == CancelTask(session="s1", instance="t_a#0", attempt=1, terminate=True)
    assert decoded.id == decode_command_or_cancellation(command.value).id


async def test_a_cancellation_goes_to_the_queue_of_its_command_even_if_the_rule_has_changed() -> None:
    bench = Bench()
    bench.queues.limits["gpu"] = 10_000
    bench.commit(rules(queue="gpu"), fire("go", offset=1), rules(offset=2))

    batch = bench.commit(fire("stop", offset=3))

    (cancellation,) = batch.outputs
    assert cancellation.topic == GPU


async def test_a_command_that_had_no_topic_has_no_cancellation() -> None:
    bench = Bench()

    batch = bench.commit(rules(queue="gpu"), fire("go", offset=1), fire("stop", offset=2))

    assert [output.topic for output in batch.outputs] == [NAMES.events]


async def test_an_instance_that_waits_has_no_command_to_cancel() -> None:
    bench = Bench()

    batch = bench.commit(rules(), fire("stop", offset=1), fire("go", offset=2))

    assert len(to(NAMES.commands, batch)) == 1
