"""Repeats requests while Kafka elects a leader or a coordinator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from confluent_kafka import KafkaException

from triggers.kafka.error_codes import ELECTING

T = TypeVar("T")

_PAUSE_S: Final = 0.1


def repeat_while_electing(request: Callable[[], T], timeout_s: float) -> T:
    """Calls `request` until it raises no error of an election, and returns its result. Blocks.

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
