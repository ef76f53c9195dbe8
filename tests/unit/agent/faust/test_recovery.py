"""A recovery restores only partitions whose files are open, however the rebalances follow one another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import faust
from faust.types import TP

from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.pump import Pump
from triggers.agent.faust.partition_store import PartitionStore, session_table
from triggers.agent.faust.recovery import BulkTableManager, OwnedPartitions
from triggers.agent.faust.transport import AgentConsumer, AgentTransport
from triggers.kafka.installed_topics import InstalledTopics
from triggers.store.restore import Restorer, RestoreRequest
from triggers.topology import Topology

PARTITIONS = range(4)


class FilesSeen:
    """A restorer that writes nothing, and notes for what it was asked and which files were not open then."""

    silent_s = 0.0

    def __init__(self, store: PartitionStore) -> None:
        self._store = store
        self.requested: list[frozenset[int]] = []
        self.closed: list[int] = []

    def request(self, partitions: Iterable[int]) -> RestoreRequest:
        request = RestoreRequest(partitions)
        self.requested.append(frozenset(request.wanted))
        self.closed += request.wanted - self._store._dbs.keys()
        return request

    def restore(self, request: RestoreRequest) -> frozenset[int]:
        return frozenset(request.wanted)


async def test_a_recovery_of_an_earlier_rebalance_leaves_partitions_that_are_being_opened_to_their_own(
    tmp_path: Path,
) -> None:
    names, ownership = Topology("ns"), Ownership()
    app = _new_app(tmp_path, names, ownership)
    manager, store = cast("BulkTableManager", app.tables), _add_table(app, names)
    restorer = FilesSeen(store)
    manager.use(ownership, cast("Restorer", restorer))
    changelog = {TP(names.changelog, partition) for partition in PARTITIONS}

    await manager.on_rebalance(set(), set(), set(), 0)  # the group has no partition for this worker yet
    ownership.assign(PARTITIONS)
    early = asyncio.create_task(manager.recovery._restore())  # runs when the next line lets it, between two files
    await manager.on_rebalance(changelog, set(), changelog, 0)
    await early
    await manager.recovery._restore()

    assert restorer.closed == []
    assert restorer.requested == [frozenset(PARTITIONS)]
    assert ownership.ready == frozenset(PARTITIONS)
    await store.stop()


def _new_app(folder: Path, names: Topology, ownership: Ownership) -> faust.App:
    app = faust.App(
        names.agents,
        datadir=str(folder),
        store="rocksdb://",
        autodiscover=False,
        topic_allow_declare=False,
        TableManager=BulkTableManager,
        PartitionAssignor=OwnedPartitions,
    )
    app.transport = AgentTransport(app, names=names, ownership=ownership, new_pump=_no_pump, on_lost=lambda _: None)
    return app


async def _no_pump(_: AgentConsumer) -> Pump:
    raise AssertionError("nothing is consumed")


def _add_table(app: faust.App, names: Topology) -> PartitionStore:
    store = cast("PartitionStore", session_table(app, names.table, names.changelog).data)
    store.topics = InstalledTopics(partitions=4, changelog_id="id", changelog_retention_s=86_400, max_record_bytes={})
    return store
