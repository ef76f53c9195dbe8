"""A restore says how far each partition has come, to whoever asks."""

from __future__ import annotations

from triggers.store.restore_run import PartitionRestore, RestoreRun
from triggers.store.second_reader import SecondReader
from triggers.telemetry.metrics import Metrics


def test_progress_is_what_both_readers_have_found() -> None:
    run = RestoreRun("changelog", Metrics())
    assert run.progress() == {}
    run.begin({0: 100, 1: 50}, {0: 40, 1: 0})
    assert run.progress() == {0: PartitionRestore(40, 40, 100), 1: PartitionRestore(0, 0, 50)}

    twin = run._twins[0]
    twin.add_first([41, 60])
    assert run.progress()[0].restored == 40
    twin.add_second([41, 60])

    assert run.progress()[0] == PartitionRestore(40, 61, 100)


def test_a_repeated_restore_keeps_where_it_began_and_a_finished_partition_is_gone() -> None:
    run = RestoreRun("changelog", Metrics())
    run.begin({0: 100, 1: 50}, {0: 0, 1: 0})
    run.begin({0: 100, 1: 50}, {0: 70, 1: 20})
    assert run.progress()[0] == PartitionRestore(0, 0, 100)
    for partition, end in ((0, 100), (1, 50)):
        run._twins[partition].end_first(end)
    run._twins[1].end_second(50)

    run.compare(SecondReader({}, "changelog", {}))

    assert list(run.progress()) == [0]
