"""The dead letters of a batch: records that could not be decoded or applied, byte for byte, with the reason."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from msgspec import structs

from triggers.codec import FORWARDED_TOO_OFTEN, DeadLetter, encode_dead_letter
from triggers.codec.dead_letter_codec import MAX_DETAIL_CHARACTERS
from triggers.kafka.letters import HEADERS, letter_of
from triggers.kafka.records import Header, Record
from triggers.store.batch import Output


class Refusal(StrEnum):
    """Reasons of dead letters that are neither `Reason`s of the codec nor classes of errors."""

    WRONG_PARTITION = "wrong partition"
    """The record was forwarded once and is still not on its key's partition, or it is too large to be forwarded."""
    DECISION_TOO_LARGE = "decision too large"
    """Applying the event would write a row or a command larger than its topic accepts; it was not applied."""
    UNKNOWN_RULES = "unknown rules"
    """The first event of a session names rules that nobody has published."""
    FORWARDED_TOO_OFTEN = FORWARDED_TOO_OFTEN
    """A `$forward` came after eight others; the event that it would have fired was not published."""


MAX_LOGGED = 5
"""Number of dead letters of a batch that are logged one by one."""


class BatchLetters:
    """Encodes the dead letters of one batch and counts them by reason."""

    def __init__(self, topic: str, max_bytes: int) -> None:
        self._topic = topic
        self._max_bytes = max_bytes
        self.reasons: Counter[str] = Counter()
        self.first: list[DeadLetter] = []
        """The first letters of the batch, for the log."""

    def encode_letter(self, record: Record, reason: str, detail: str) -> Output:
        """Returns the record's dead letter. If it is too large for the topic, parts are cut, as its fields say."""
        return self._encode(letter_of(record, reason, detail))

    def encode_forward(self, cause: Record, forward: Output, detail: str) -> Output:
        """Returns the dead letter of an unpublished `$forward`, with the coordinates of the event that caused it."""
        letter = structs.replace(
            letter_of(cause, Refusal.FORWARDED_TOO_OFTEN, detail),
            key=forward.key,
            value=forward.value,
            headers=forward.headers or [],
        )
        return self._encode(letter)

    def _encode(self, letter: DeadLetter) -> Output:
        self.reasons[letter.reason] += 1
        if len(self.first) < MAX_LOGGED:
            self.first.append(letter)
        value = encode_dead_letter(letter)
        if len(value) > self._max_bytes:
            value = encode_dead_letter(_truncate(letter, len(value) - self._max_bytes))
        return Output(self._topic, _truncate_key(letter.key), value)


def _truncate(letter: DeadLetter, excess: int) -> DeadLetter:
    value = letter.value or b""
    kept = value[: max(0, len(value) - excess - MAX_DETAIL_CHARACTERS)]
    note = f" [the first {len(kept)} of the value's {len(value)} bytes are kept]"
    headers = _small_headers(letter.headers) if not kept else letter.headers
    if headers != letter.headers:
        note += f" [{len(letter.headers) - len(headers)} headers are omitted because of their size]"
    key = _truncate_key(letter.key)
    parts = {
        "part of the key": key != letter.key,
        "part of the value": kept != letter.value,
        HEADERS: headers != letter.headers or HEADERS in letter.missing,
    }
    return structs.replace(
        letter,
        detail=letter.detail[: MAX_DETAIL_CHARACTERS - len(note)] + note,
        key=key,
        value=kept,
        headers=headers,
        missing=", ".join(part for part, is_missing in parts.items() if is_missing),
    )


_LARGE_HEADER = 1000


def _small_headers(headers: list[Header]) -> list[Header]:
    return [(name, value) for name, value in headers if len(name) + len(value or b"") < _LARGE_HEADER][:20]


def _truncate_key(key: bytes | None) -> bytes | None:
    return key[:1024] if key is not None else None
