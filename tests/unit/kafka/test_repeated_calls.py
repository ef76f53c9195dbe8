"""Calls are repeated while Kafka elects a leader or a coordinator, or while an error is retriable, and only then."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from triggers.kafka.repeated_calls import repeat_while_electing, repeat_while_retriable


class Request:
    """A request that fails with each of the given error codes in turn, then returns its number of calls."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self._codes:
            raise KafkaException(KafkaError(self._codes.pop(0)))
        return self.calls


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    ],
)
def test_a_request_is_repeated_until_the_election_is_over(code: int) -> None:
    assert repeat_while_electing(Request(code, code), timeout_s=60) == 3


def test_an_election_that_takes_too_long_is_an_error() -> None:
    request = Request(*[KafkaError.NOT_COORDINATOR] * 100)

    with pytest.raises(KafkaException) as raised:
        repeat_while_electing(request, timeout_s=-1)

    assert (raised.value.args[0].code(), request.calls) == (KafkaError.NOT_COORDINATOR, 1)


def test_another_error_is_raised_at_once() -> None:
    request = Request(KafkaError.TOPIC_AUTHORIZATION_FAILED)

    with pytest.raises(KafkaException):
        repeat_while_electing(request, timeout_s=60)

    assert request.calls == 1


def test_a_call_that_is_refused_at_once_is_repeated_with_pauses() -> None:
    calls = []

    def refuse(timeout_s: float) -> None:
        calls.append(timeout_s)
        raise KafkaException(KafkaError(KafkaError._CONFLICT, "another call is in progress", retriable=True))

    with pytest.raises(KafkaException, match="in progress"):
        repeat_while_retriable(refuse, 0.5)

    assert 1 < len(calls) < 10
