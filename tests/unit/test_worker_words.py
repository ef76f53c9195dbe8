"""What the commands say about workers."""

from __future__ import annotations

from triggers.cli.worker_words import worker_lines
from triggers.overview.installation import WorkerPartitions
from triggers.queries import RestoringPartition


def test_workers_lost_partitions_and_restores_are_said_shortly() -> None:
    workers = WorkerPartitions(
        partitions={"http://w-1:6066": [0, 1, 2, 3, 7], "http://w-2:6066": [4, 6]},
        unowned=[5],
        restoring=[RestoringPartition(partition=2, rows=200_000, restored=50_000), RestoringPartition(partition=3)],
        silent={"http://w-2:6066": "worker http://w-2:6066 does not answer: refused"},
    )

    assert list(worker_lines(workers)) == [
        ("workers", "http://w-1:6066 0-3,7, http://w-2:6066 4,6, no owner: 5"),
        ("restoring", "partition 2 25 % of 200,000 rows, partition 3 waits"),
        ("workers that do not answer", "worker http://w-2:6066 does not answer: refused"),
    ]


def test_an_installation_without_workers_says_so() -> None:
    assert list(worker_lines(WorkerPartitions(partitions={}, unowned=[]))) == [("workers", "none")]
