"""Faust's table, stored in `PartitionRows`: small RocksDB options, explicit closing, broken files set aside."""

from __future__ import annotations

import time
from pathlib import Path

import faust
from faust.stores.rocksdb import Store
from faust.tables.table import Table
from faust.types import TP, CollectionT, StoreT

from triggers.kafka.installed_topics import InstalledTopics
from triggers.store.partition_rows import PartitionClosed, PartitionRows, open_rows


class PartitionStore(Store):
    """The table's files, one RocksDB per partition. `topics` must be set before the first partition is assigned."""

    topics: InstalledTopics

    def _open_for_partition(self, partition: int) -> PartitionRows:
        oldest = time.time() - self.topics.changelog_retention_s / 2
        return open_rows(Path(self.partition_path(partition)), self.topics.changelog_id, oldest)

    def partition_rows(self, partition: int) -> PartitionRows:
        """Returns the rows of an open partition. Raises PartitionClosed."""
        rows: PartitionRows | None = self._dbs.get(partition)
        if rows is None:
            raise PartitionClosed(partition)
        return rows

    def close_partitions(self, partitions: frozenset[int]) -> None:
        """Closes the files of these partitions. Nothing may be writing to them."""
        for partition in partitions:
            if (rows := self._dbs.pop(partition, None)) is not None:
                rows.close()

    def revoke_partitions(self, table: CollectionT, tps: set[TP]) -> None:
        """Closes the files at once; Faust's method leaves that to the garbage collector."""
        self.close_partitions(frozenset(tp.partition for tp in tps if tp.topic in table.changelog_topic.topics))

    async def stop(self) -> None:
        self.close_partitions(frozenset(self._dbs))


class SessionTable(Table[bytes, bytes]):
    """The table of sessions. The pump writes its rows, never the table's mapping."""

    def _new_store(self) -> StoreT[bytes, bytes]:
        return PartitionStore("rocksdb://", self.app, self, table_name=self.name, loop=self.loop)


def session_table(app: faust.App, name: str, changelog: str) -> SessionTable:
    """Declares the table on the app. Its changelog topic must exist; the pump writes it."""
    topic = app.topic(changelog, key_type=bytes, value_type=bytes, acks=False, allow_empty=True)
    table = SessionTable(app, name=name, key_type=bytes, value_type=bytes, changelog_topic=topic)
    app.tables.add(table)
    return table
