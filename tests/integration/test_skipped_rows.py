"""Restores by a client that leaves out rows, and of files that the changelog can no longer bring up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from tests.support.skipping_clients import SkippingConsumer, make_skipping_class
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.kafka.connection import Options
from triggers.kafka.worker_options import probe_options, restore_options, second_restore_options
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.store import restore, second_reader
from triggers.store.orphaned_transactions import OrphanedTransactions
from triggers.store.partition_rows import PartitionClosed, PartitionRows, StorageFailed, open_rows
from triggers.store.restore import Restorer
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TO_THE_END = 1_000_000
TRANSACTIONS = 20
EACH = 10


@pytest.fixture
def names(settings: Settings) -> Topology:
    return create_topics(settings)


def write_changelog(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """Writes rows to partition 0, some repeatedly, some in aborted transactions. Returns the rows that remain."""
    producer = Producer(
        {"bootstrap.servers": settings.brokers, "transactional.id": f"{topic}-test", "retry.backoff.ms": 2}
    )
    producer.init_transactions(60)
    rows: dict[bytes, bytes] = {}
    for transaction in range(TRANSACTIONS):
        producer.begin_transaction()
        is_aborted = transaction % 5 == 4
        for n in range(EACH):
            key, value = b"row %d" % (transaction * n % 70), b"%d of %d" % (n, transaction)
            producer.produce(topic, value, key, 0)
            if not is_aborted:
                rows[key] = value
        if is_aborted:
            producer.flush(30)
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(60)
    return rows


def remove_before(settings: Settings, topic: str, offset: int) -> None:
    """Removes records, for which the topic must not be only compacted."""
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    policy = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[policy])
    admin.incremental_alter_configs([changed])[changed].result(30)
    wait_until(lambda: _is_removed(admin, TopicPartition(topic, 0, offset)), "the topic's policy is in force")


def _is_removed(admin: AdminClient, before: TopicPartition) -> bool:
    """Tries to remove the records, which the broker refuses while it has only heard of the new policy."""
    try:
        admin.delete_records([before])[before].result(30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.POLICY_VIOLATION:
            raise
        return False
    return True


class Files:
    """The file of partition 0, which is restored as a worker does it."""

    def __init__(self, settings: Settings, names: Topology, folder: Path) -> None:
        self._folder = folder
        self.metrics = Metrics()
        self.rows: PartitionRows = open_rows(folder, "id", 0)
        self._restorer = Restorer(
            options=lambda: restore_options(settings),
            second_options=lambda: second_restore_options(settings),
            probe_options=lambda: probe_options(settings),
            topic=names.changelog,
            rows_of=self._rows_of,
            metrics=self.metrics,
            orphans=OrphanedTransactions(settings, "w0"),
        )

    def restore(self) -> dict[bytes, bytes]:
        """Restores the file and returns its rows."""
        assert self._restorer.restore(self._restorer.request([0])) == {0}
        return dict(self.rows.scan(b"row"))

    def restore_without(self, revoked: int) -> frozenset[int]:
        """Restores partition 0 and another one, which is revoked after the request. Returns the restored ones."""
        request = self._restorer.request([0, revoked])
        self._restorer.stop_writing([revoked])
        return self._restorer.restore(request)

    def _rows_of(self, partition: int) -> PartitionRows:
        if partition != 0:
            raise PartitionClosed(partition)
        return self.rows

    def open_again(self) -> None:
        """Opens the file again, as a worker does when it restarts."""
        self.rows.close()
        self.rows = open_rows(self._folder, "id", 0)

    @property
    def repeated(self) -> int:
        text = self.metrics.text().decode()
        (line,) = [line for line in text.splitlines() if line.startswith("triggers_repeated_restores_total ")]
        return int(float(line.rpartition(" ")[2]))


@pytest.fixture
def files(settings: Settings, names: Topology, tmp_path: Path) -> Iterator[Files]:
    files = Files(settings, names, tmp_path / "0")
    yield files
    files.rows.close()


def first_faulty(faulty: type[SkippingConsumer]) -> Callable[[Options], Consumer]:
    """Returns a factory of readers: a faulty one for the first restore, healthy ones afterwards. Probes are healthy."""
    made: list[Consumer] = []

    def make(options: Options) -> Consumer:
        if str(options["group.id"]).endswith("probe"):
            return Consumer(options)
        made.append(Consumer(options) if made else faulty(options))
        return made[-1]

    return make


def test_a_partition_that_is_revoked_before_its_restore_begins_is_left_alone(
    settings: Settings, names: Topology, files: Files
) -> None:
    """Its files are closed by then. A restore waits for the one before it, which may take seconds."""
    rows = write_changelog(settings, names.changelog)

    assert files.restore_without(revoked=1) == {0}
    assert dict(files.rows.scan(b"row")) == rows


@pytest.mark.parametrize("module", [restore, second_reader], ids=["the reader", "the second reader"])
@pytest.mark.parametrize(("first", "length"), [(0, 1), (3, 4), (25, 90), (7, TO_THE_END)])
def test_rows_that_a_client_leaves_out_are_restored_nevertheless(  # noqa: PLR0917  # fixtures
    settings: Settings,
    names: Topology,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    first: int,
    length: int,
) -> None:
    rows = write_changelog(settings, names.changelog)
    faulty = make_skipping_class(first, length)
    monkeypatch.setattr(module, "Consumer", first_faulty(faulty))

    assert files.restore() == rows
    assert faulty.left_out > 0
    assert files.repeated == 1


def test_a_healthy_restore_reads_everything_once_and_continues_from_there(
    settings: Settings, names: Topology, files: Files
) -> None:
    rows = write_changelog(settings, names.changelog)

    assert files.restore() == rows
    reached = files.rows.changelog_offset()
    files.open_again()
    more = write_changelog(settings, names.changelog)

    assert files.restore() == rows | more
    assert files.repeated == 0
    assert files.rows.changelog_offset() > reached > 0


def test_clients_that_leave_out_rows_every_time_end_the_worker_and_no_later_offset_counts_as_restored(
    settings: Settings, names: Topology, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_changelog(settings, names.changelog)
    with monkeypatch.context() as planted:
        planted.setattr(restore, "Consumer", make_skipping_class(12, 2))
        with pytest.raises(Stop, match="two readers find different rows") as stopped:
            files.restore()

    assert stopped.value.code == ExitCode.SKIPPED
    assert files.rows.changelog_offset() < TRANSACTIONS * EACH
    assert files.restore() == rows


def test_a_file_beyond_the_changelogs_end_is_rebuilt(settings: Settings, names: Topology, files: Files) -> None:
    rows = write_changelog(settings, names.changelog)
    files.rows.write({b"row of another life": b"x"}, 100_000)

    with pytest.raises(StorageFailed, match=f"it is at offset 100001 of {names.changelog}/0, which ends at"):
        files.restore()
    files.open_again()

    assert files.restore() == rows


def test_a_file_before_the_changelogs_beginning_is_rebuilt(
    settings: Settings, names: Topology, files: Files, capfd: pytest.CaptureFixture[str]
) -> None:
    write_changelog(settings, names.changelog)
    files.rows.write({b"row of another life": b"x"}, 5)
    remove_before(settings, names.changelog, 170)

    with pytest.raises(StorageFailed, match=f"it is at offset 6 of {names.changelog}/0, which begins at 170"):
        files.restore()
    files.open_again()
    restored = files.restore()

    assert restored
    assert b"row of another life" not in restored
    assert "rows are lost: the beginning of the changelog was removed" in "".join(capfd.readouterr())
