"""A fold without workers has the rows of the oracle, whatever is refused in between."""

from __future__ import annotations

from contextlib import suppress

import pytest
from confluent_kafka import Message
from tests.support.part_in_memory import SETTINGS, event_record, fold_in_memory
from tests.support.questionnaires import interleaved
from tests.support.worked_installation import CUSTOMER, PAYER, REFUSED

from triggers.codec import EventDecoder, decode_key
from triggers.core.events import RulesPublished
from triggers.errors import CallError, NotFound, TooManyCommands
from triggers.recovery.fold_files import folded_partitions

EVENTS: list[tuple[str | None, dict[str, object]]] = [
    (None, {"type": "publish", "name": "order", "version": 1, "configuration": PAYER, "match": ["order-*"]}),
    *interleaved(sessions=5, pages=40),
    ("s1", REFUSED),
    ("order-1", {"trigger": "paid", "kwargs": {"customer": "c", "n": 1}}),
    ("c", {"configuration": CUSTOMER}),
    ("c", {"trigger": "orderPaid"}),
    ("c", {"type": "failed", "instance": "t_note#0", "exception_type": "Declined"}),
    ("s2", {"type": "delete"}),
]


def records() -> list[Message]:
    return [event_record(offset, event, key, at=1_000 + offset) for offset, (key, event) in enumerate(EVENTS)]


def test_the_rows_of_a_fold_are_those_of_the_oracle() -> None:
    decoder = EventDecoder(SETTINGS.max_payload_bytes)
    with folded_partitions(1) as [folded]:
        folded.begin()
        for record in records():
            event = decoder.decode(record.value(), None, record.offset() or 0, record.timestamp()[1])
            if isinstance(event, RulesPublished):
                folded.publish(event)
                continue
            with suppress(CallError, NotFound):
                folded.apply(decode_key(record.key()), event)
        rows = dict(folded.rows())

    assert len(rows) > 20
    assert rows == fold_in_memory(records()).rows[0]


PAGES = {"t_page": {"after": ["go"], "andEvery": "page", "run": "app.page"}}


def test_an_event_that_would_cause_too_many_commands_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is half changed then, and the events before are not written yet."""
    events: list[dict[str, object]] = [{"configuration": PAGES}]
    events += [{"trigger": "page"} for _ in range(9)]
    before = [event_record(n, event) for n, event in enumerate(events)]
    refused, after = event_record(10, {"trigger": "go"}), event_record(11, {"trigger": "page"})
    decoder = EventDecoder(SETTINGS.max_payload_bytes)
    with folded_partitions(1) as [folded]:
        folded.begin()
        for record in (*before, refused, after):
            limit = 100 if record is refused else 1 << 20
            monkeypatch.setattr("triggers.core.lifecycle.MAX_COMMAND_BYTES", limit)
            event = decoder.decode(record.value(), None, record.offset() or 0, record.timestamp()[1])
            with suppress(TooManyCommands):
                folded.apply("s1", event)
                assert record is not refused
        rows = dict(folded.rows())

    assert rows == fold_in_memory([*before, after]).rows[0]
