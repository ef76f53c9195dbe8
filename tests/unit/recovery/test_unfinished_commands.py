"""The commands that a copy issues again are those whose attempts are in flight, in their old order."""

from __future__ import annotations

from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, Event, TaskFinished, TaskStarted, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.recovery.unfinished_commands import UnfinishedCommands

RULES = b'{"t_page": {"after": [], "andEvery": "page", "run": "app.page"}}'


def test_commands_without_a_result_remain_in_the_order_in_which_they_were_issued() -> None:
    sessions = {uid: Session(uid, MemoryRows(), Plans()) for uid in ("a", "b")}
    unfinished = UnfinishedCommands(sessions.__getitem__)
    position = iter(range(100))

    def follow(uid: str, event: Event) -> None:
        unfinished.follow(uid, event, apply(sessions[uid], event))

    for uid in sessions:
        follow(uid, ConfigurationUpdated(configuration=RULES, position=next(position)))
    for uid in "abab":
        follow(uid, TriggerFired(trigger="page", position=next(position)))
    follow("a", TaskStarted(instance="t_page#0", attempt=1, position=next(position)))
    follow("b", TaskFinished(instance="t_page#0", attempt=1, position=next(position)))

    remaining = [(command.session, command.instance) for command in unfinished.remaining()]
    assert remaining == [("a", "t_page#0"), ("a", "t_page#1"), ("b", "t_page#1")]
