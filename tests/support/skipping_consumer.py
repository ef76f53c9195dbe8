"""A consumer with a fault: it leaves out records. Tests plant it to check that a guard notices."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, Message


class SkippingConsumer:
    """Wraps a real consumer. For the first `times` times it does not deliver some offsets of partition 0."""

    def __init__(self, real: Consumer, first: int, count: int, times: int) -> None:
        self._real = real
        self._left_out = range(first, first + count)
        self._times = times

    def poll(self, timeout: float) -> Message | None:
        message = self._real.poll(timeout)
        return None if message is None or self._leaves_out(message) else message

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        return [message for message in self._real.consume(num_messages, timeout) if not self._leaves_out(message)]

    def _leaves_out(self, message: Message) -> bool:
        if self._times == 0 or message.partition() != 0 or message.offset() not in self._left_out:
            return False
        self._times -= message.offset() == self._left_out[-1]
        return True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any attribute of the consumer
        return getattr(self._real, name)
