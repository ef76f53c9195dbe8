"""Consumers with a fault that every reader must detect: they silently leave out records."""

from __future__ import annotations

from confluent_kafka import Consumer, Message


class SkippingConsumer(Consumer):
    """Leaves out records of partition 0 when they are delivered for the first time. Made by `skipping`."""

    first = 0
    length = 0
    always = False
    left_out = 0
    """Number of records that all instances of the class have left out."""

    _seen = 0
    _highest = -1
    _holes: frozenset[int] = frozenset()

    def poll(self, timeout: float = -1) -> Message | None:
        while (message := super().poll(timeout)) is not None and self._is_left_out(message):
            pass
        return message

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        while messages := super().consume(num_messages, timeout):
            if passed := [message for message in messages if not self._is_left_out(message)]:
                return passed
        return []

    def _is_left_out(self, message: Message) -> bool:
        offset = message.offset() or 0
        if message.error() is not None or message.partition() != 0:
            return False
        if offset > self._highest:
            self._highest, self._seen = offset, self._seen + 1
            if self.first <= self._seen - 1 < self.first + self.length:
                self._holes |= {offset}
                type(self).left_out += 1
                return True
        return self.always and offset in self._holes


class BlindConsumer(Consumer):
    """Delivers nothing, as a consumer that may not read its topic or whose brokers do not answer."""

    def poll(self, timeout: float = -1) -> Message | None:
        super().poll(timeout)
        return None

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        super().consume(num_messages, timeout)
        return []


def make_skipping_class(first: int, length: int, *, always: bool = False) -> type[SkippingConsumer]:
    """Makes a class of consumers that leave out `length` records, starting with the `first`-th (from 0).

    With `always`, they leave them out again when they are read again. They report the true ends of partitions.
    """
    return type("Skipping", (SkippingConsumer,), {"first": first, "length": length, "always": always, "left_out": 0})
