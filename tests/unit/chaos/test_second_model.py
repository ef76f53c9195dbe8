"""Sessions with published rules and rules of edition 2 are judged by a second model, and their timers are counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from confluent_kafka import Message
from tests.chaos.orders import order_rules
from tests.chaos.partition_oracle import judge_part
from tests.chaos.verdict import OracleVerdict
from tests.support.part_in_memory import PartInMemory, event_record, part_in_memory

from triggers.codec import encode_event
from triggers.core.events import RulesPublished, TaskFinished, TimerFired

UID, START = "order-1", 10_000
DUE = START + 2_000


def published(offset: int, version: int, existing: str = "keep") -> Message:
    rules = json.dumps(order_rules(version)).encode()
    event = RulesPublished(
        name="orders", version=version, configuration=rules, match=["order-*"], existing=existing, position=offset
    )
    return event_record(offset, encode_event(event), None, START)


def reported(offset: int, event: TaskFinished | TimerFired, at: int) -> Message:
    return event_record(offset, encode_event(event), UID, at)


def finished(instance: str, *triggers: str) -> TaskFinished:
    """Returns the result of the campaign's task `work`."""
    return TaskFinished(instance=instance, attempt=1, result=json.dumps({"triggers": triggers}).encode())


LOG = [
    published(0, 1),
    event_record(1, {"trigger": "ordered", "kwargs": {"order": 0}}, UID, START),
    reported(2, finished("t_open#0", "ordered"), START + 100),
    reported(3, TimerFired(instance="t_remind#0", attempt=0, due=DUE, kind="delay"), DUE),
    reported(4, finished("t_remind#0", "ordered"), DUE + 100),
    published(5, 2, "adopt"),
    event_record(6, {"trigger": "marked", "kwargs": {"n": 1}}, UID, DUE + 200),
    reported(7, finished("t_marked#0", "marked", "version"), DUE + 300),
]
LATE = reported(3, TimerFired(instance="t_remind#0", attempt=0, due=DUE, kind="delay"), DUE + 30_500)
VERSIONS = [("orders", 1), ("orders", 2)]


def part(log: Sequence[Message] = LOG, applied: Sequence[Message] = LOG) -> PartInMemory:
    """Returns a drained partition with two versions of rules, long after its last event."""
    by_applications = [message for message in log if (message.value() or b"").startswith(b"{")]
    made = part_in_memory(log, applied, by_applications, now=DUE + 60_000)
    return replace(made, publications=VERSIONS[: sum(message.key() is None for message in log)])


def judged(judged_part: PartInMemory) -> OracleVerdict:
    return judge_part(judged_part).verdict


def test_a_session_that_took_and_adopted_published_rules_and_whose_timer_fired_is_clean() -> None:
    verdict = judged(part())

    assert (verdict.lost, verdict.wrong) == ({}, {})
    assert (verdict.timers, verdict.idle_timers, verdict.modelled, verdict.ruled) == (1, 0, 1, 1)


def test_a_timer_that_was_due_and_never_fired_is_lost() -> None:
    assert judged(part(LOG[:3], LOG[:3])).lost["timers"] == 1


def test_a_timer_that_fired_only_when_the_workers_were_stopped_was_lost_until_then() -> None:
    assert judged(replace(part(), now=DUE)).is_clean
    assert judged(replace(part([*LOG[:3], LATE], [*LOG[:3], LATE]), now=DUE + 30_000)).lost["timers"] == 1


def test_a_timer_that_is_not_due_yet_is_not_lost() -> None:
    assert judged(replace(part(LOG[:3], LOG[:3]), now=DUE)).is_clean


def test_an_event_of_a_timer_that_came_twice_or_too_early_has_no_effect_and_is_counted() -> None:
    early = reported(3, TimerFired(instance="t_remind#0", attempt=0, due=DUE, kind="delay"), DUE - 1)
    late = reported(5, TimerFired(instance="t_remind#0", attempt=0, due=DUE, kind="delay"), DUE + 50)
    fired = reported(4, TimerFired(instance="t_remind#0", attempt=0, due=DUE, kind="delay"), DUE)
    log = [*LOG[:3], early, fired, late, reported(6, finished("t_remind#0", "ordered"), DUE + 100)]

    verdict = judged(part(log, log))

    assert (verdict.lost, verdict.wrong) == ({}, {})
    assert (verdict.timers, verdict.idle_timers) == (1, 2)


def test_the_model_misses_the_command_of_a_timer_that_a_worker_did_not_apply() -> None:
    verdict = judged(part(LOG, [*LOG[:3], *LOG[4:]]))

    assert verdict.wrong["scheduled by the model"] == 1
    assert verdict.wrong["answers by the model"] >= 1


def test_the_model_and_the_oracle_miss_an_adoption_that_a_worker_forgot() -> None:
    verdict = judged(part(LOG, [*LOG[:5], *LOG[6:]]))

    assert verdict.wrong["scheduled by the model"] == 1
    assert verdict.lost["commands"] == 1


def test_a_partition_without_a_version_of_the_rules_has_lost_it() -> None:
    log = [*LOG[:5], LOG[6], LOG[7]]

    assert judged(replace(part(log, log), publications=VERSIONS)).lost == {"published rules on partitions": 1}
