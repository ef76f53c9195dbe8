"""Triggers that `$forward` fires in other sessions, and how many forwards led to an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from triggers.agent.records import Output
from triggers.codec import encode_event, encode_key
from triggers.core.commands import ForwardTrigger
from triggers.core.events import TriggerFired
from triggers.kafka.records import Header, Record, headers_of

MAX_FORWARDS: Final = 8
"""Forwards that may follow from one another. Without a limit, two sessions could forward to each other endlessly."""
_FORWARDS: Final = "triggers-forwards"
"""Header of a forwarded event. Its value is the number of forwards that led to it."""
_DIGITS: Final = 4
"""Maximum length of that number. Anyone can write the header."""


def count_forwards(record: Record) -> int:
    """Returns how many forwards led to a record, or 0 for one that no worker has forwarded. Raises Undecodable."""
    values = [value for name, value in headers_of(record) or () if name == _FORWARDS and value]
    return max((int(value[:_DIGITS]) for value in values if value.isdigit()), default=0)


def encode_forward(forward: ForwardTrigger, topic: str, count: int, trace: Sequence[Header] = ()) -> Output:
    """Returns the record that fires the trigger, with the headers of its trace; it is the `count`-th in a row."""
    event = TriggerFired(trigger=forward.trigger, kwargs=forward.kwargs, id=forward.id)
    headers: list[Header] = [(_FORWARDS, str(count).encode()), *trace]
    return Output(topic, encode_key(forward.session), encode_event(event, source="worker"), headers=headers)
