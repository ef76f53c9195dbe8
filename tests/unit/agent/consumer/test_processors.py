"""The processor of the pump's tests treats a batch as the agent does."""

from __future__ import annotations

import pytest
from tests.support.decider import Decider
from tests.support.listed_queues import ListedQueues
from tests.support.records import PARTITIONS, fire, record

from triggers.agent.consumer.processor import Processor, process_batch
from triggers.agent.turns.agent import Agent
from triggers.agent.turns.overlay import Overlays
from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.timers import Timers
from triggers.codec import EventDecoder
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.errors import BrokerUnavailable, TryAgain
from triggers.kafka.installed_topics import InstalledTopics
from triggers.kafka.records import Record
from triggers.store.batch import Batch
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology, partition_of

NAMES = Topology("test")
HOME = partition_of(b"s1", PARTITIONS)


class Away:
    """A schema registry that never answers."""

    def schema(self, schema_id: int) -> str:
        raise BrokerUnavailable(f"the registry does not answer for {schema_id}")


def batch_of(*records: Record) -> Batch:
    return Batch({HOME: list(records)} if records else {}, frozenset({HOME}))


class ProcessorSuite:
    """Tests of the port. A subclass has the fixtures `processor` and `delayed`, which cannot decide its first batch."""

    async def test_a_processed_batch_has_rows_and_keeps_its_offsets(self, processor: Processor) -> None:
        batch = batch_of(fire("a", offset=3))

        process_batch(batch, processor)

        await batch.done
        assert any(batch.rows.values())
        assert batch.offsets == {HOME: 4}

    async def test_a_batch_without_records_leaves_nothing_to_commit(self, processor: Processor) -> None:
        batch = batch_of()

        process_batch(batch, processor)

        await batch.done
        assert batch.is_empty

    async def test_forgotten_decisions_are_made_again_in_the_same_way(self, processor: Processor) -> None:
        rows = []
        for forgotten in (None, frozenset({HOME}), frozenset({HOME})):
            batch = batch_of(fire("a", offset=3))
            process_batch(batch, processor)
            rows.append([changes for changes in batch.rows.values() if changes])
            processor.forget(forgotten)

        assert rows[0] == rows[1] == rows[2]

    async def test_a_batch_that_cannot_be_decided_yet_says_so_and_is_decided_later(self, delayed: Processor) -> None:
        batch = batch_of(record(b"\0\0\0\0\1x", offset=3))
        process_batch(batch, delayed)
        with pytest.raises(TryAgain):
            await batch.done
        delayed.forget()

        again = batch_of(fire("a", offset=3))
        process_batch(again, delayed)

        await again.done
        assert again.offsets == {HOME: 4}


class TestAgent(ProcessorSuite):
    @pytest.fixture
    def processor(self) -> Processor:
        rows, metrics = {p: MemoryRows() for p in range(PARTITIONS)}, Metrics()
        topics = (NAMES.events, NAMES.dead_letters, NAMES.changelog, NAMES.commands)
        context = TurnContext(
            names=NAMES,
            topics=InstalledTopics(PARTITIONS, "id", 86_400, dict.fromkeys(topics, 10_000)),
            decoder=EventDecoder(5_000, Away()),
            plans=Plans(),
            cache=SessionCache(100),
            rows=Overlays(rows.__getitem__),
            metrics=metrics,
            queues=ListedQueues(),
        )
        return Agent(context, Timers(NAMES.events, rows.__getitem__, metrics), metrics)

    @pytest.fixture
    def delayed(self, processor: Processor) -> Processor:
        return processor


class TestDecider(ProcessorSuite):
    @pytest.fixture
    async def processor(self) -> Processor:
        return Decider()

    @pytest.fixture
    async def delayed(self) -> Processor:
        decider = Decider()
        decider.too_early = {0}
        return decider
