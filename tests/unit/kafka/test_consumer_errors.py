"""Errors that a consumer delivers instead of records: which of them end the worker, and how."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, Message

from triggers.kafka.consumer_errors import stop_unless_transient
from triggers.process.exits import ExitCode, Stop
from triggers.store.restored_rows import split_messages

UNREADABLE = ["_BAD_MSG", "_NOT_IMPLEMENTED", "_BAD_COMPRESSION", "MSG_SIZE_TOO_LARGE", "TOPIC_AUTHORIZATION_FAILED"]
PASSING = ["_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "NOT_COORDINATOR", "KAFKA_STORAGE_ERROR"]


def event(name: str, partition: int = 3) -> tuple[Message, KafkaError]:
    """Returns an event as librdkafka delivers it, because a broker cannot be made to cause each of them."""
    error = KafkaError(getattr(KafkaError, name), "what librdkafka says")
    return Message(topic="t", partition=partition, offset=17, error=error), error


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_error_after_which_records_are_missing_ends_the_worker_and_names_the_partition(name: str) -> None:
    with pytest.raises(Stop, match=r"t/3 cannot be read: .*what librdkafka says") as stopped:
        stop_unless_transient(*event(name))

    assert stopped.value.code == ExitCode.UNREADABLE
    assert name in stopped.value.why


@pytest.mark.parametrize("name", PASSING)
def test_a_transient_error_does_not_end_the_worker(name: str) -> None:
    stop_unless_transient(*event(name))


def test_a_refusal_by_the_group_ends_the_worker_like_one_by_the_broker() -> None:
    with pytest.raises(Stop, match="GROUP_AUTHORIZATION_FAILED") as stopped:
        stop_unless_transient(*event("GROUP_AUTHORIZATION_FAILED", partition=-1))

    assert stopped.value.code == ExitCode.BROKER


def test_a_fatal_error_ends_the_worker_as_fenced() -> None:
    error = KafkaError(KafkaError.FENCED_INSTANCE_ID, "somebody else", fatal=True)

    with pytest.raises(Stop, match="somebody else") as stopped:
        stop_unless_transient(Message(topic="t", partition=-1, error=error), error)

    assert stopped.value.code == ExitCode.FENCED


@pytest.mark.parametrize("name", UNREADABLE)
def test_such_an_error_ends_a_restore_even_if_rows_are_fetched_with_it(name: str) -> None:
    rows = [Message(topic="t", partition=3, offset=n, key=b"k", value=b"v") for n in (16, 18)]

    with pytest.raises(Stop) as stopped:
        split_messages([rows[0], event(name)[0], rows[1]])

    assert stopped.value.code == ExitCode.UNREADABLE


@pytest.mark.parametrize("name", PASSING)
def test_a_restore_keeps_the_rows_around_a_transient_error(name: str) -> None:
    rows = [Message(topic="t", partition=3, offset=n, key=b"k", value=b"v") for n in (16, 17)]

    assert split_messages([rows[0], event(name)[0], rows[1]]) == ({3: rows}, {})
