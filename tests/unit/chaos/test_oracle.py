"""The oracle of a fault campaign. It trusts the producers, not the committed offset or a single reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

from confluent_kafka import Message
from tests.chaos.evidence import Part
from tests.chaos.partition_oracle import judge_part
from tests.chaos.tally import Tally
from tests.chaos.verdict import OracleVerdict
from tests.support.part_in_memory import PartInMemory, event_record, part_in_memory

RULES = {"t_note": {"after": [], "andEvery": "page", "run": "app.note"}}


EVENTS = [
    event_record(0, {"configuration": RULES}),
    *(event_record(n, {"trigger": "page", "kwargs": {"n": n}}) for n in range(1, 6)),
]
"""One session: its rules, and five events that cause a command each."""


def part(
    on_topic: Sequence[Message], applied: Sequence[Message], acknowledged: Sequence[Message] | None = None
) -> PartInMemory:
    """Returns a drained partition whose group has committed all events, and whose sessions nobody has queried."""
    made = part_in_memory(on_topic, applied, EVENTS if acknowledged is None else acknowledged)
    return replace(made, done=len(EVENTS), views={})


def judged(judged_part: Part) -> OracleVerdict:
    """Returns the verdict without missing results, because no executor runs the commands."""
    verdict = judge_part(judged_part).verdict
    del verdict.lost["results"]
    return verdict


def test_a_partition_on_which_everything_was_applied_is_clean() -> None:
    verdict = judged(part(EVENTS, applied=EVENTS))

    assert (verdict.lost, verdict.wrong) == ({}, {})
    assert (verdict.events, verdict.commands, verdict.sessions) == (6, 5, 1)


def test_an_event_that_was_skipped_is_lost_although_the_group_has_committed_beyond_it() -> None:
    verdict = judged(part(EVENTS, applied=[*EVENTS[:2], *EVENTS[4:]]))

    assert verdict.lost["commands"] >= 2
    assert verdict.wrong["changelog rows"] > 0
    assert verdict.wrong["RocksDB rows"] > 0


def test_events_at_the_end_are_lost_although_the_group_has_not_committed_them() -> None:
    verdict = judged(replace(part(EVENTS, applied=EVENTS[:4]), done=4))

    assert verdict.lost["commands"] == 2


def test_a_truncated_campaign_judges_only_events_that_the_group_has_committed() -> None:
    cut = replace(part(EVENTS, applied=EVENTS[:4]), done=4, is_drained=False)

    assert judged(cut).is_clean


def test_an_acknowledged_event_that_is_not_on_the_topic_is_lost() -> None:
    there = [*EVENTS[:3], *EVENTS[4:]]

    verdict = judged(part(there, applied=there))

    assert verdict.lost == {"acknowledged events": 1}


def test_an_acknowledged_event_with_another_value_is_lost() -> None:
    there = [*EVENTS[:5], event_record(5, {"trigger": "page", "kwargs": {"n": 99}})]

    verdict = judged(part(there, applied=there))

    assert verdict.lost == {"acknowledged events": 1}


def test_an_acknowledged_event_at_an_unknown_offset_must_be_on_the_topic() -> None:
    unplaced = Counter([crc32(EVENTS[5].value() or b"")])

    there = replace(part(EVENTS, applied=EVENTS, acknowledged=EVENTS[:5]), unplaced=unplaced)
    gone = replace(part(EVENTS[:5], applied=EVENTS[:5], acknowledged=EVENTS[:5]), unplaced=unplaced)

    assert judged(there).is_clean
    assert judged(gone).lost == {"acknowledged events": 1}


def test_an_event_that_no_producer_acknowledged_is_wrong() -> None:
    verdict = judged(part(EVENTS, applied=EVENTS, acknowledged=EVENTS[:5]))

    assert verdict.wrong == {"events that nobody published": 1}


def test_a_reader_that_saw_less_than_another_is_wrong() -> None:
    seen = Tally()
    for message in (*EVENTS[:2], *EVENTS[3:]):
        seen.add(message.offset() or 0, message.value() or b"")

    verdict = judged(replace(part(EVENTS, applied=EVENTS), tallies={"unit.events": seen}))

    assert verdict.wrong == {"readers that disagree": 1}


def test_a_reader_that_stopped_early_agrees_about_what_it_saw() -> None:
    seen = Tally()
    for message in EVENTS[:3]:
        seen.add(message.offset() or 0, message.value() or b"")

    assert judged(replace(part(EVENTS, applied=EVENTS), tallies={"unit.events": seen})).is_clean


def test_finished_commands_without_a_result_are_lost_in_a_truncated_campaign_too() -> None:
    cut = replace(part(EVENTS, applied=EVENTS), is_drained=False, executors_done=3)

    assert judge_part(cut).verdict.lost == {"results": 3}
