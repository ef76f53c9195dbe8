"""What an agent does with a timer's event that the broker has stamped before the timer is due, and what it logs."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs
from tests.support.agent_bench import NAMES, Bench
from tests.support.records import fire, record
from tests.unit.agent.turns.test_agent import to

from triggers.agent.turns import timers
from triggers.agent.turns.dead_letters import MAX_LOGGED
from triggers.codec import decode_command


async def test_a_timer_that_fires_before_the_broker_takes_it_for_due_changes_nothing_and_fires_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    monkeypatch.setattr(timers, "_INTERVAL_S", 0)
    rules = {"$edition": 2, "t": {"after": ["go"], "delay": "40ms", "run": "app.t"}}
    bench.commit(record(json.dumps({"configuration": rules}).encode()), fire("go", offset=1))

    (early,) = to(NAMES.events, bench.decide())
    again = bench.commit(record(early.value, offset=2, time=1_039))
    assert to(NAMES.commands, again) == []
    await asyncio.sleep(0.001)  # it came a millisecond too early
    late = to(NAMES.events, bench.decide())
    acted = bench.commit(record(late[0].value, offset=3, time=1_040))

    assert late == [early]
    assert [decode_command(o.value).instance for o in to(NAMES.commands, acted)] == ["t#0"]
    assert bench.decide().outputs == []


async def test_dead_letters_are_logged_the_first_ones_with_their_records() -> None:
    bench = Bench()
    bad = [record(b"{", b"s1", offset=offset) for offset in range(MAX_LOGGED + 2)]

    with capture_logs() as lines:
        bench.decide(*bad)

    assert [line["offset"] for line in lines if line["event"] == "a record becomes a dead letter"] == list(
        range(MAX_LOGGED)
    )
    assert lines[0]["session"] == "s1"
    assert (lines[-1]["letters"], lines[-1]["log_level"]) == (2, "warning")
