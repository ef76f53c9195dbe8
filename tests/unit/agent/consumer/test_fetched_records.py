from __future__ import annotations

from confluent_kafka import KafkaError, Message

from triggers.agent.consumer.fetched_records import by_partition, offsets_of


def message(partition: int, offset: int, error: KafkaError | None = None) -> Message:
    return Message(topic="test.events", partition=partition, offset=offset, key=b"s1", value=b"{}", error=error)


def test_records_are_split_by_partition_in_the_order_in_which_they_came() -> None:
    came = [(1, 7), (1, 8), (0, 3), (1, 9), (0, 4)]

    records, errors = by_partition([message(*place) for place in came])

    assert {partition: offsets_of(fetched) for partition, fetched in records.items()} == {1: [7, 8, 9], 0: [3, 4]}
    assert errors == []


def test_errors_are_separated_from_the_records_around_them() -> None:
    error = KafkaError(KafkaError._PARTITION_EOF)

    records, errors = by_partition([message(0, 3), message(1, 7, error), message(0, 4)])

    assert {partition: offsets_of(fetched) for partition, fetched in records.items()} == {0: [3, 4]}
    assert [(each.partition(), each.error()) for each in errors] == [(1, error)]


def test_nothing_is_fetched_from_no_messages() -> None:
    assert by_partition([]) == ({}, [])
