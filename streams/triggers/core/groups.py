"""Lets instances of edition 2 wait in groups and leave them, and records what follows from their statuses."""

from __future__ import annotations

from typing import Final

from triggers.core.commands import SetTimer
from triggers.core.conditions.holding import Held, Surroundings
from triggers.core.conditions.receiving import received, seen
from triggers.core.conditions.views import View
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.follow_ups import FollowUps, QueuedOutcome
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance, Payload
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.number_ranges import insert_number, remove_number
from triggers.core.state.rows import TIMER_ROW, timer_key
from triggers.core.state.session import Session
from triggers.core.state.waiting import Group, of_member, private_of, shape_of
from triggers.core.statuses import SCHEDULED, UNSTARTED, WAITING, Status
from triggers.core.step import DecisionBuilder

_OWN: Final = 512
"""Bytes of kwargs that an instance may have in its row (see `fired`)."""
_IN_FLIGHT: Final = frozenset({SCHEDULED, Status.RUNNING})


def join_group(builder: DecisionBuilder, rule: Rule, loaded: LoadedInstance, held: Held) -> None:
    """Lets an instance wait with what it holds."""
    blind = rule.edition_2 is not None and rule.edition_2.blind
    loaded.instance.held = private_of(held) if blind else None
    builder.session.waiting.change(rule.name).join(
        loaded.number,
        shape_of(held) if blind else held,
        delayed=loaded.instance.status != UNSTARTED,
        depth=builder.cascade_depth,
    )


def leave_group(builder: DecisionBuilder, loaded: LoadedInstance) -> Group | None:
    """Ends the waiting of an instance and determines what its task receives. Returns where it has waited."""
    instance = loaded.instance
    if instance.status not in WAITING:
        return None
    waiting, follow = builder.session.waiting.change(loaded.task), builder.follow
    group = waiting.leave(loaded.number)
    rule = builder.session.plan.tasks.get(loaded.task)
    if group is not None and follow is not None and rule is not None and rule.edition_2 is not None:
        view = View(rule.edition_2.conditions, of_member(group.held, instance.held), follow.surroundings)
        receive(builder.session, follow, instance, view, alone=not group.members)
    instance.held = None
    return group


def receive(session: Session, follow: FollowUps, instance: Instance, view: View, *, alone: bool) -> None:
    """Determines what the task of an instance receives, and what it has counted towards `unless`.

    `alone` means that no other instance receives the same.
    """
    instance.unless_seen = seen(view)
    texts = received(view)
    instance.kwargs = {alias: _payload(session, follow, text, alone=alone) for alias, text in texts.items()}


def held_by(session: Session, loaded: LoadedInstance) -> tuple[dict[str, bytes], list[str]] | None:
    """Returns what a waiting instance's task would receive by now, and what counts towards its `unless`.

    Returns None for an instance that does not wait, or waits under a rule of edition 1.
    """
    rule = session.plan.tasks.get(loaded.task)
    if rule is None or rule.edition_2 is None:
        return None
    if (group := session.waiting.get(loaded.task).group_of(loaded.number)) is None:
        return None
    surroundings = Surroundings({"uid": session.uid, "rules": session.header.rules_name})
    view = View(rule.edition_2.conditions, of_member(group.held, loaded.instance.held), surroundings)
    return received(view), seen(view)


def _payload(session: Session, follow: FollowUps, text: bytes, *, alone: bool) -> Payload:
    if alone and len(text) <= _OWN:
        return text
    if text not in follow.payloads:
        follow.payloads[text] = session.payloads.add(text)
    return follow.payloads[text]


def note_status(builder: DecisionBuilder, loaded: LoadedInstance) -> None:
    """Records whether the instance can be cancelled, and queues its outcome trigger if a leaf names it."""
    task, status = loaded.task, loaded.instance.status
    rule, follow = builder.session.plan.tasks.get(task), builder.follow
    if follow is None:
        return
    if rule is not None and rule.edition_2 is not None:
        if status == UNSTARTED:
            bound = {f"+{alias}": _bound(builder, payload) for alias, payload in loaded.instance.kwargs.items()}
            join_group(builder, rule, loaded, Held(loose=bound))
        if rule.edition_2.cancel_on is not None:
            note_in_flight(builder.session, loaded)
    if status in OUTCOMES and f"{task}:{status}" in follow.rules.named:
        outcome = QueuedOutcome(task, loaded.number, status, builder.cascade_depth + 1, follow.chain + 1)
        follow.outcomes.append(outcome)


def _bound(builder: DecisionBuilder, payload: Payload) -> Contribution:
    return Contribution(builder.session.payloads.read(payload), builder.now, 0)


def note_in_flight(session: Session, loaded: LoadedInstance) -> None:
    """Records an instance that does not wait and that `cancelOn` may cancel."""
    edges = session.waiting.change(loaded.task).in_flight
    remove_number(edges, loaded.number)
    if loaded.instance.status in _IN_FLIGHT:
        insert_number(edges, loaded.number)


def set_instance_timer(builder: DecisionBuilder, loaded: LoadedInstance, kind: str, due: int) -> None:
    """Sets the instance's timer of that kind to `due`, or moves it."""
    session, name, attempt = builder.session, loaded.name, loaded.instance.attempt
    timers = dict(loaded.instance.timers or {})
    if kind in timers:
        session.write_shared(timer_key(timers[kind], session.uid, name, attempt, kind), None)
    timers[kind] = due
    loaded.instance.timers = timers
    session.write_shared(timer_key(due, session.uid, name, attempt, kind), TIMER_ROW)
    builder.commands.append(SetTimer(session=session.uid, instance=name, attempt=attempt, due=due, kind=kind))


def stop_timers(session: Session, loaded: LoadedInstance, only: str = "") -> None:
    """Deletes the timers of the instance, or only that of one kind."""
    instance = loaded.instance
    for kind, due in (instance.timers or {}).items():
        if only in {"", kind}:
            session.write_shared(timer_key(due, session.uid, loaded.name, instance.attempt, kind), None)
    left = {kind: due for kind, due in (instance.timers or {}).items() if only and kind != only}
    instance.timers = left or None
