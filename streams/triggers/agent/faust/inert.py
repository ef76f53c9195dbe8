"""The parts of Faust's transport that the worker does without, switched off.

Faust would fetch records, seek, commit offsets and create topics. Here the pump fetches records, offsets are committed
in its transactions, and `triggers topics create` creates topics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.transport.consumer import Consumer, Fetcher
from faust.transport.producer import Producer
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode import Service
from typing_extensions import override


class InertConsumer(Consumer):
    """A consumer that reads, seeks and commits nothing.

    Each method keeps Faust's contract with an empty answer, because Faust calls it around rebalances and recoveries.
    `subscribe` and `assignment` are left to the subclass.
    """

    async def commit(self, *_: object, **__: object) -> bool:
        return True

    async def _commit(self, *_: object, **__: object) -> bool:
        return True

    @Service.task
    async def _commit_handler(self) -> None:
        pass

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        pass

    async def wait_empty(self) -> None:
        pass  # no batch is decided or committed while a rebalance runs

    async def perform_seek(self) -> None:
        pass

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return {}

    async def seek_wait(self, *_: object, **__: object) -> None:
        pass

    async def _seek(self, *_: object, **__: object) -> None:
        pass

    async def position(self, *_: object, **__: object) -> int | None:
        return None

    def highwater(self, *_: object, **__: object) -> int:
        return 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, 0)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, 0)

    async def create_topic(self, *_: object, **__: object) -> None:
        pass

    def topic_partitions(self, *_: object, **__: object) -> int | None:
        return None

    @override
    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        return partition

    async def _getmany(self, *_: object, **__: object) -> Mapping[TP, list[Any]]:
        return {}

    def _to_message(self, tp: TP, record: object) -> ConsumerMessage:
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)


class NoFetcher(Fetcher):
    """A fetcher that does nothing. Faust starts it after a recovery."""

    @Service.task
    async def _fetcher(self) -> None:
        pass


class NoProducer(Producer):
    """A producer that never connects. Every record is produced in one of the pump's transactions."""

    async def create_topic(self, *_: object, **__: object) -> None:
        pass
