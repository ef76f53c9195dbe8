from __future__ import annotations

import pytest

from triggers.client.consumer_lag import PartitionLag
from triggers.client.lag_totals import total_lag


def row(partition: int, committed: int, end: int, *, group: str = "agents", records: int | None = 1) -> PartitionLag:
    return PartitionLag(
        group=group, topic=f"topic-of-{group}", partition=partition, committed=committed, end=end, records=records
    )


def test_the_lag_of_partitions_is_added_up_by_group() -> None:
    agents, executors = total_lag([row(0, 5, 10), row(1, 0, 20, records=7), row(0, 1, 2, group="executors")])

    assert (agents.group, agents.partitions, agents.lag, agents.largest, agents.records) == ("agents", 2, 25, 20, 8)
    assert (executors.lag, executors.records) == (1, 1)
    assert agents.written_per_s is agents.finished_per_s is agents.seconds_left is None


def test_a_number_of_records_that_is_unknown_for_a_partition_is_unknown_for_all() -> None:
    (total,) = total_lag([row(0, 0, 1), row(1, 0, 99_999, records=None)])

    assert total.records is None


@pytest.mark.parametrize(
    ("committed", "end", "left"), [(130, 160, 30 / 10), (110, 150, None), (100, 150, None), (160, 160, 0.0)]
)
def test_rates_say_when_the_lag_is_gone(committed: int, end: int, left: float | None) -> None:
    before = [row(0, 100, 140), row(1, 0, 0)]

    (total,) = total_lag([row(0, committed, end), row(1, 0, 0), row(2, 0, 0)], before, seconds=1.0)

    assert (total.written_per_s, total.finished_per_s) == (end - 140, committed - 100)
    assert total.seconds_left == left
