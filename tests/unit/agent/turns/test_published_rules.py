"""The agent and records that publish rules: on their partition, in a turn of their own, for cached sessions as well."""

from __future__ import annotations

import json

import pytest
from tests.support.agent_bench import NAMES, Bench
from tests.support.records import fire, record
from tests.unit.agent.turns.test_agent import HOME, to

from triggers.codec import decode_command, decode_dead_letter, encode_event
from triggers.core.events import RulesPublished, TriggerFired
from triggers.core.state.header_codec import decode_header
from triggers.kafka.records import Record

RULES = {"t_pick": {"after": ["picked"], "run": "app.pick"}}
MORE_RULES = RULES | {"t_send": {"after": ["picked"], "run": "app.send"}}


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def publish(
    offset: int, rules: object = RULES, version: int = 1, existing: str = "keep", key: bytes | None = None
) -> Record:
    event = RulesPublished(
        name="order", version=version, configuration=json.dumps(rules).encode(), is_default=True, existing=existing
    )
    return record(encode_event(event), key, offset=offset, partition=HOME)


def rules_of(bench: Bench) -> tuple[str, int]:
    taken = decode_header(bench.session_row("s1") or b"").published
    return ("", 0) if taken is None else (taken.name, taken.version)


async def test_a_record_that_publishes_rules_has_a_turn_of_its_own(bench: Bench) -> None:
    records = [fire("picked", offset=0), publish(1), fire("picked", offset=2)]

    first = bench.commit(*records)
    second = bench.commit(*records[1:])

    assert (first.offsets, second.offsets) == ({HOME: 1}, {HOME: 2})
    assert first.is_truncated
    assert second.is_truncated
    assert len(second.rows[HOME]) == 3


async def test_the_next_session_begins_with_published_rules_before_they_are_on_disk(bench: Bench) -> None:
    bench.decide(publish(0))

    batch = bench.decide(fire("picked", offset=1))

    assert [decode_command(o.value).run for o in to(NAMES.commands, batch)] == ["app.pick"]


async def test_a_cached_session_adopts_the_version_that_was_published_meanwhile(bench: Bench) -> None:
    bench.commit(publish(0))
    bench.commit(fire("other", offset=1))
    bench.commit(publish(2, MORE_RULES, version=2, existing="adopt"))
    assert (len(bench.cache), rules_of(bench)) == (1, ("order", 1))

    batch = bench.commit(fire("picked", offset=3))

    assert [decode_command(o.value).run for o in to(NAMES.commands, batch)] == ["app.pick", "app.send"]
    assert rules_of(bench) == ("order", 2)


async def test_rules_of_an_aborted_transaction_are_forgotten(bench: Bench) -> None:
    bench.decide(publish(0))
    bench.agent.forget()

    batch = bench.decide(fire("picked", offset=1))

    assert to(NAMES.commands, batch) == []


@pytest.mark.parametrize(
    ("letter", "reason", "detail"),
    [
        (publish(0, key=b"s1"), "bad key", "rules are published without a key: use `triggers rules publish`"),
        (publish(0, {"t": 1}), "InvalidConfiguration", "task 't': its directives: it must be a JSON object"),
        (publish(0, version=0), "CallError", "the version must be 1 to 2147483647, not 0"),
        (
            record(encode_event(TriggerFired(trigger="picked", rules="orders")), b"s1", offset=0),
            "unknown rules",
            "nobody has published rules with the name 'orders'",
        ),
    ],
    ids=["with a key", "invalid", "without a version", "unknown"],
)
async def test_what_cannot_be_published_or_taken_is_a_dead_letter(
    bench: Bench, letter: Record, reason: str, detail: str
) -> None:
    batch = bench.commit(letter)

    (output,) = to(NAMES.dead_letters, batch)
    stored = decode_dead_letter(output.value)
    assert stored.reason == reason
    assert detail in stored.detail
    assert bench.session_row("s1") is None


async def test_another_record_without_a_key_does_not_end_the_turn(bench: Bench) -> None:
    batch = bench.commit(fire("picked", offset=0), record(b'{"trigger": "x"}', None, offset=1, partition=HOME))

    assert batch.offsets == {HOME: 2}
    assert not batch.is_truncated
    assert [decode_dead_letter(o.value).reason for o in to(NAMES.dead_letters, batch)] == ["bad key"]
