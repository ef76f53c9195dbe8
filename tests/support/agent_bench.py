"""An agent over rows in memory."""

from __future__ import annotations

from tests.support.kept_spans import KeptSpans
from tests.support.listed_queues import ListedQueues
from tests.support.records import PARTITIONS

from triggers.agent.turns.agent import Agent
from triggers.agent.turns.decision_traces import DecisionTracer
from triggers.agent.turns.overlay import Overlays
from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.timers import Timers
from triggers.codec import EventDecoder
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key
from triggers.kafka.installed_topics import InstalledTopics
from triggers.kafka.records import Record
from triggers.store.batch import Batch
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology, partition_of

NAMES = Topology("test")


class Bench:
    """An agent over rows in memory, whose batches the test commits."""

    def __init__(self, *, largest_row: int = 10_000, largest_command: int = 10_000, exports: bool = False) -> None:
        largest = dict.fromkeys((NAMES.events, NAMES.dead_letters), 10_000)
        largest |= {NAMES.changelog: largest_row, NAMES.commands: largest_command}
        self.rows = {p: MemoryRows() for p in range(PARTITIONS)}
        self.metrics = Metrics()
        self.queues = ListedQueues()
        self.spans = KeptSpans()
        self.cache = SessionCache(100)
        self.output_bytes = 0
        """Output of each batch before its first event."""
        rules = TurnContext(
            names=NAMES,
            topics=InstalledTopics(PARTITIONS, "id", 86_400, largest),
            decoder=EventDecoder(5_000, None),
            plans=Plans(),
            cache=self.cache,
            rows=Overlays(self.rows.__getitem__),
            metrics=self.metrics,
            queues=self.queues,
            tracer=DecisionTracer(exports=exports),
        )
        timers = Timers(NAMES.events, rules.rows.for_partition, self.metrics)
        self.agent = Agent(rules, timers, self.metrics, self.spans)

    def decide(self, *records: Record, before: Batch | None = None) -> Batch:
        """Decides a batch without committing it. It takes the place of the batch `before`."""
        by_partition: dict[int, list[Record]] = {}
        for one in records:
            by_partition.setdefault(one.partition() or 0, []).append(one)
        batch = Batch(by_partition, frozenset(self.rows), before)
        batch.output_bytes += self.output_bytes
        self.agent.process(batch)
        return batch

    def commit(self, *records: Record) -> Batch:
        """Decides a batch and writes its rows."""
        batch = self.decide(*records)
        for partition, changes in batch.rows.items():
            self.rows[partition].write(changes)
        return batch

    def session_row(self, uid: str) -> bytes | None:
        return self.rows[partition_of(uid.encode(), PARTITIONS)].get(header_key(uid))
