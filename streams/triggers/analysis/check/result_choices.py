"""How the attempts of a task may continue while orders are explored."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskStatusChanged
from triggers.core.plan import Plan, Rule
from triggers.core.statuses import Status


def ends_of(task: str, named: Collection[str]) -> Iterator[str]:
    """Yields the statuses with which a task may come to an end, as far as a rule waits for them."""
    yield Status.FINISHED
    yield from (status for status in (Status.FAILED, Status.SKIPPED) if f"{task}:{status}" in named)


def stalls_of(plan: Plan, rule: Rule) -> tuple[str, ...]:
    """Returns the statuses in which an attempt may stay until it is overdue, if a rule waits for what the task does."""
    rules = plan.edition_2
    if rules is None:
        return ()
    names = {rule.name, *[f"{rule.name}:{status}" for status in OUTCOMES]}
    if rules.finalize is None and names.isdisjoint(rules.named):
        return ()
    limits = ((Status.SCHEDULED, rule.timeouts.scheduled), (Status.RUNNING, rule.timeouts.running))
    return tuple(str(status) for status, limit in limits if limit)


def result_event(instance: str, status: str) -> Event:
    """Returns the event with which an attempt comes to an end."""
    match status:
        case Status.FINISHED:
            return TaskFinished(instance=instance)
        case Status.FAILED:
            return TaskFailed(instance=instance, exception_type="builtins.RuntimeError")
        case _:
            return TaskStatusChanged(instance=instance, status=status)
