"""`RefusedEvents`: the events that became dead letters, so that no fold applies them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from triggers.codec import FORWARDED_TOO_OFTEN, DeadLetter
from triggers.errors import CallError
from triggers.kafka.records import Record, or_minus_one

Content = tuple[int, bytes | None, bytes | None]
"""Partition, key and value of a record."""


class RefusedEvents:
    """Recognises the records of an events topic that its workers have refused."""

    def __init__(self, letters: Iterable[DeadLetter], topic: str, *, is_mirror: bool = False) -> None:
        """With `is_mirror`, the records have other offsets than their dead letters say, so their content decides.

        Raises CallError if the dead letters name another topic, so that this one is a mirror.
        """
        about = letters_about(letters, topic, is_mirror=True)
        if not is_mirror and (others := {each.topic for each in about} - {topic}):
            raise CallError(
                f"the dead letters are about {min(others)}, not about {topic}: if a mirror has written the topics,"
                " which changes offsets, add --mirrored"
            )
        refused = [each for each in about if each.reason != FORWARDED_TOO_OFTEN]
        self._is_mirror = is_mirror
        self._by_coordinates = {(each.partition, each.offset): each for each in refused}
        self._contents = Counter((each.partition, each.key, each.value) for each in refused)

    def match_next(self, record: Record) -> bool:
        """Returns whether the next record of its partition was refused. Each record may be passed once, in order.

        Raises CallError if another record is at the coordinates of a dead letter, so that the topic is a mirror.
        """
        if not self._by_coordinates:
            return False
        partition = or_minus_one(record.partition())
        if self._is_mirror:
            content = partition, record.key(), record.value()
            if content not in self._contents:  # nearly none is, and all of them would not fit into memory
                return False
            self._contents[content] -= 1
            return self._contents[content] >= 0
        letter = self._by_coordinates.get((partition, or_minus_one(record.offset())))
        if letter is not None and not letter.missing and (letter.key, letter.value) != (record.key(), record.value()):
            raise CallError(
                f"{record.topic()} {partition}/{record.offset()} is not the record of the dead letter with these"
                " coordinates: if the topic was written by a mirror, which changes offsets, add --mirrored"
            )
        return letter is not None


def letters_about(letters: Iterable[DeadLetter], topic: str, *, is_mirror: bool) -> list[DeadLetter]:
    """Returns the dead letters of an events topic. Those of a mirror name the topic of the original."""
    kind = topic[topic.rindex(".") :]
    return [each for each in letters if each.topic == topic or (is_mirror and each.topic.endswith(kind))]
