"""Repeats calls of the Kafka client whose errors are temporary."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from confluent_kafka import KafkaException

from triggers.kafka.error_codes import ELECTING

T = TypeVar("T")

_PAUSE_S: Final = 0.1
"""Without a pause, a call that fails at once would be repeated endlessly, and every error allocates memory."""


def repeat_while_electing(request: Callable[[], T], timeout_s: float) -> T:
    """Calls `request` until it raises no error of an election of a leader or a coordinator. Returns its result. Blocks.

    Raises KafkaException for any other error at once, and for an error of an election after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return request()
        except KafkaException as error:
            if error.args[0].code() not in ELECTING or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)


def repeat_while_retriable(call: Callable[[float], T], patience_s: float) -> T:
    """Repeats a call of a transactional producer while its error is retriable, for `patience_s` at most. Blocks.

    The call gets the seconds that are left. After a timeout, only the next call reveals the outcome.
    """
    deadline = time.monotonic() + patience_s
    while True:
        remaining = deadline - time.monotonic()
        try:
            return call(max(remaining, 1))
        except KafkaException as error:
            if not error.args[0].retriable() or remaining <= 0:
                raise
            time.sleep(_PAUSE_S)
