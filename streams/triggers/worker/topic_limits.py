"""`TopicLimits`: follows the size limits of topics, which an operator may change while a worker runs."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from triggers.agent.turns.agent import Agent
from triggers.agent.turns.size_limits import size_of_output
from triggers.kafka.installed_topics import InstalledTopics, wait_for_topics
from triggers.kafka.queue_topics import BrokerQueues
from triggers.kafka.worker_options import size_options
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.store.batch import Batch
from triggers.store.transaction import TooLargeForTopic, Transactions
from triggers.topology import Topology

log = structlog.get_logger(__name__)

_MAX_REFUSALS: Final = 5
"""Number of refusals under the same limits after which the worker ends. A broker may describe a change a little later
than it applies it, and a second passes between two refusals."""
_FORGOTTEN_S: Final = 60.0
"""Pause after which earlier refusals do not count, because batches were committed in between."""


class TopicLimits:
    """Reads the limits again when a broker refuses a record, so that its event is decided by the present limits."""

    def __init__(
        self,
        settings: Settings,
        topics: InstalledTopics,
        queues: BrokerQueues,
        agent: Agent,
        transactions: Transactions,
    ) -> None:
        self._settings = settings
        self._names = Topology(settings.namespace)
        self._queues = queues
        self._agent = agent
        self._transactions = transactions
        self._limits = dict(topics.max_record_bytes)
        self._refusals = 0
        self._refused_at = 0.0

    async def follow(self, refused: TooLargeForTopic) -> None:
        """Reads all limits again and uses them. No batch may be in progress.

        The event whose row or output does not fit becomes a dead letter when it is decided again. Raises Stop if the
        limits are as they were at the last refusals, because deciding again does not help then.
        """
        topics = await wait_for_topics(self._settings)
        of_queues = await asyncio.to_thread(self._queues.read_again)
        limits = topics.max_record_bytes | {self._names.commands_of(queue): limit for queue, limit in of_queues.items()}
        changed = {topic: limit for topic, limit in limits.items() if limit != self._limits.get(topic, limit)}
        earlier, self._refused_at = self._refused_at, time.monotonic()
        self._refusals = 1 if changed or self._refused_at > earlier + _FORGOTTEN_S else self._refusals + 1
        self._limits |= limits
        log.warning("a topic refuses a record; its limit is read again", refused=refused.detail, changed=changed)
        if self._refusals >= _MAX_REFUSALS:
            raise Stop(ExitCode.BROKER, self._describe(refused))
        self._agent.use_topics(topics)
        self._transactions.use_options(size_options(min(self._limits.values()), max(self._limits.values())))

    def _describe(self, refused: TooLargeForTopic) -> str:
        sizes = _largest_records(refused.batch, self._names.changelog)
        records = ", ".join(
            f"{size} bytes for {topic} (limit {self._limits.get(topic, 'unknown')})"
            for topic, size in sorted(sizes.items())
        )
        return (
            f"a topic refused a record {self._refusals} times: {refused.detail}. The largest records of the batch, by"
            f" topic: {records}. Raise max.message.bytes of that topic; `triggers topics check` prints the command"
        )


def _largest_records(batch: Batch, changelog: str) -> dict[str, int]:
    """Returns topic -> size of the largest of the batch's records on it."""
    rows = [len(key) + len(row or b"") for changes in batch.rows.values() for key, row in changes.items()]
    sizes = {changelog: max(rows)} if rows else {}
    for output in batch.outputs:
        sizes[output.topic] = max(size_of_output(output), sizes.get(output.topic, 0))
    return sizes
