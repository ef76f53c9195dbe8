"""Triggers that `$forward` fires in other sessions, and how many `$forward`s in a row led to an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from triggers.codec import encode_event, encode_key
from triggers.core.commands import ForwardTrigger
from triggers.core.events import TriggerFired
from triggers.kafka.records import Header, Record, headers_of
from triggers.store.batch import Output

MAX_FORWARDS: Final = 8
"""Maximum number of `$forward`s in a row. Without a limit, two sessions could fire in each other endlessly."""
_FORWARDS: Final = "triggers-forwards"
"""Header of an event that `$forward` fired. Its value is the number of `$forward`s in a row that led to it."""
_DIGITS: Final = 4
"""Maximum length of that number. Anyone can write the header."""


def count_forwards(record: Record) -> int:
    """Returns how many `$forward`s in a row led to a record; 0 for any other record. Raises Undecodable."""
    values = [value for name, value in headers_of(record) or () if name == _FORWARDS and value]
    return max((int(value[:_DIGITS]) for value in values if value.isdigit()), default=0)


def encode_forward(forward: ForwardTrigger, topic: str, count: int, trace: Sequence[Header] = ()) -> Output:
    """Returns the record that fires the trigger, with the headers of its trace; it is the `count`-th in a row."""
    event = TriggerFired(trigger=forward.trigger, kwargs=forward.kwargs, id=forward.id)
    headers: list[Header] = [(_FORWARDS, str(count).encode()), *trace]
    return Output(topic, encode_key(forward.session), encode_event(event, source="worker"), headers=headers)
