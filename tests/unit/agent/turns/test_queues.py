"""Commands go to the topic of their queue. Without a topic, the attempt fails on the log, not only in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from tests.support.agent_bench import NAMES, Bench
from tests.support.records import fire, record
from tests.unit.agent.turns.test_agent import HOME, to

from triggers.codec import decode_command, decode_dead_letter
from triggers.core.state.plans import Plans
from triggers.core.state.session import Session
from triggers.errors import TryAgain
from triggers.kafka.records import Record
from triggers.store.batch import Batch, Output

GPU = NAMES.commands_of("gpu")
RULE: Mapping[str, object] = {"after": ["go"], "run": "app.render", "queue": "gpu"}


def rules(rule: Mapping[str, object] = RULE) -> Record:
    return record(json.dumps({"configuration": {"$edition": 2, "t_render": dict(rule)}}).encode(), b"s1")


def read_back(output: Output, *, offset: int) -> Record:
    """The record that a batch has produced, as the next one reads it."""
    assert output.partition == HOME
    return record(output.value or b"", output.key, offset=offset, partition=output.partition)


def instance(bench: Bench) -> tuple[str, dict[str, object]]:
    session = Session("s1", bench.rows[HOME], Plans())
    found = session.instances.get("t_render", 0).instance
    return found.status, {name: json.loads(value) for name, value in found.metadata.items()}


async def test_a_command_goes_to_the_topic_of_its_queue() -> None:
    bench = Bench()
    bench.queues.limits["gpu"] = 10_000

    batch = bench.commit(rules(), fire("go", offset=1))

    (output,) = batch.outputs
    assert (output.topic, output.key) == (GPU, b"s1")
    assert decode_command(output.value).queue == "gpu"
    assert bench.metrics.registry.get_sample_value("triggers_commands_total") == 1


async def test_a_queue_without_a_topic_fails_the_attempt_by_a_record_of_the_same_transaction() -> None:
    bench = Bench()

    batch = bench.commit(rules(), fire("go", offset=1))

    (failure,) = to(NAMES.events, batch)
    assert batch.outputs == [failure]
    assert instance(bench)[0] == "scheduled"
    bench.commit(read_back(failure, offset=2))
    status, metadata = instance(bench)
    assert status == "failed"
    assert metadata["exceptionType"] == "triggers.UnknownQueue"
    assert metadata["exceptionContext"] == {"queue": "gpu", "topic": GPU}
    assert "triggers topics create --queue gpu" in str(metadata["exceptionInfo"])


async def test_the_log_decides_no_matter_which_topics_exist_when_it_is_read_again() -> None:
    first, second = Bench(), Bench()
    records = [rules(), fire("go", offset=1)]
    (failure,) = first.commit(*records).outputs
    first.commit(read_back(failure, offset=2))
    second.queues.limits["gpu"] = 10_000

    second.commit(*records, read_back(failure, offset=2))

    assert second.session_row("s1") == first.session_row("s1")
    assert instance(second) == instance(first)


async def test_a_rule_may_retry_until_somebody_has_created_the_topic() -> None:
    bench = Bench()
    (failure,) = bench.commit(rules({**RULE, "retry": {"attempts": 3}}), fire("go", offset=1)).outputs

    bench.commit(read_back(failure, offset=2))

    assert instance(bench)[0] == "scheduled"


async def test_nothing_is_decided_while_it_is_not_known_whether_the_topic_exists() -> None:
    bench = Bench()
    bench.queues.undecided.add("gpu")

    with pytest.raises(TryAgain):
        bench.decide(rules(), fire("go", offset=1))


async def test_a_command_that_its_queue_s_topic_does_not_accept_makes_its_event_a_dead_letter() -> None:
    bench = Bench()
    bench.queues.limits["gpu"] = 50

    batch: Batch = bench.commit(rules(), fire("go", offset=1))

    (letter,) = to(NAMES.dead_letters, batch)
    assert f"but {GPU} accepts 50" in decode_dead_letter(letter.value).detail
    assert to(GPU, batch) == []


async def test_topics_are_asked_for_again_after_a_refused_transaction_only() -> None:
    bench = Bench()

    bench.agent.forget(frozenset({HOME}))
    assert bench.queues.forgotten == 0
    bench.agent.forget()
    assert bench.queues.forgotten == 1
