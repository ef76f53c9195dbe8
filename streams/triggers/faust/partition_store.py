"""Faust's table on RocksDB with files of ours: small options, explicit closing, broken ones set aside."""

from __future__ import annotations

import time
from pathlib import Path

import faust
from faust.stores.rocksdb import Store
from faust.tables.table import Table
from faust.types import TP, CollectionT, StoreT

from triggers.kafka.installed_topics import InstalledTopics
from triggers.table.partition_rows import PartitionClosed, PartitionRows, open_rows


class PartitionStore(Store):
    """The table's files; `topics` is set before the first partition is assigned."""

    topics: InstalledTopics

    def _open_for_partition(self, partition: int) -> PartitionRows:
        oldest = time.time() - self.topics.changelog_retention_s / 2
        return open_rows(Path(self.partition_path(partition)), self.topics.changelog_id, oldest)

    def partition_rows(self, partition: int) -> PartitionRows:
        """Rows of an open partition. Raises PartitionClosed."""
        rows: PartitionRows | None = self._dbs.get(partition)
        if rows is None:
            raise PartitionClosed(partition)
        return rows

    def close_partitions(self, partitions: frozenset[int]) -> None:
        """Close these partitions' files; nothing may be writing them."""
        for partition in partitions:
            if (rows := self._dbs.pop(partition, None)) is not None:
                rows.close()

    def revoke_partitions(self, table: CollectionT, tps: set[TP]) -> None:
        """See `Store`; its own leaves closing to the garbage collector."""
        self.close_partitions(frozenset(tp.partition for tp in tps if tp.topic in table.changelog_topic.topics))

    async def stop(self) -> None:
        """See `Store`."""
        self.close_partitions(frozenset(self._dbs))


class SessionTable(Table[bytes, bytes]):
    """The one table; its rows are written by the transport, never through the mapping."""

    def _new_store(self) -> StoreT[bytes, bytes]:
        return PartitionStore("rocksdb://", self.app, self, table_name=self.name, loop=self.loop)


def session_table(app: faust.App, name: str, changelog: str) -> SessionTable:
    """Declare the table on the app; its changelog topic exists already and is written by the transport."""
    topic = app.topic(changelog, key_type=bytes, value_type=bytes, acks=False, allow_empty=True)
    table = SessionTable(app, name=name, key_type=bytes, value_type=bytes, changelog_topic=topic)
    app.tables.add(table)
    return table
