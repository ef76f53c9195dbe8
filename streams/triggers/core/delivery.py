"""Refuses configurations whose effects the drivers of the engine do not deliver yet.

The engine decides by all rules of edition 2, but some decisions have to leave the session: commands on a topic of their
own, the end of a running task, triggers for other sessions. A rule that needs one of these is refused when it arrives.
Otherwise it would be ignored without a word.
"""

from __future__ import annotations

from triggers.core.plan import Plan
from triggers.core.rule_set import FORWARD
from triggers.errors import InvalidConfiguration


def check_deliverable(plan: Plan) -> None:
    """Raises InvalidConfiguration for `queue`, `$forward`, and `cancelOn` with `terminate`."""
    if plan.rules is None:
        return
    if plan.rules.forwards:
        raise InvalidConfiguration(f"{FORWARD!r}: this release does not deliver forwards; remove it")
    for name, task in plan.rules.tasks.items():
        if task.queue is not None:
            raise InvalidConfiguration(
                f"task {name!r}: 'queue': {task.queue!r}: this release has one topic of commands; remove it"
            )
        if task.cancel_on is not None and task.cancel_on.terminate:
            raise InvalidConfiguration(
                f"task {name!r}: 'cancelOn': 'terminate': this release does not end running tasks; remove it"
            )


def check_embedded(plan: Plan) -> None:
    """Raises InvalidConfiguration for what an embedded storage cannot carry out: queues, triggers for other sessions,
    and the end of a running task. The routing of a runner's tasks is a matter of Celery's own settings.
    """
    if plan.rules is None:
        return
    if plan.rules.forwards:
        raise InvalidConfiguration(f"{FORWARD!r}: an embedded storage reaches one session only; use the stream")
    for name, task in plan.rules.tasks.items():
        if task.queue is not None:
            raise InvalidConfiguration(
                f"task {name!r}: 'queue': {task.queue!r}: an embedded storage has no queues; use the stream,"
                " or Celery's task_routes"
            )
        if task.cancel_on is not None and task.cancel_on.terminate:
            raise InvalidConfiguration(
                f"task {name!r}: 'cancelOn': 'terminate': an embedded storage cannot end a running task; use the stream"
            )


def accept_every_plan(plan: Plan) -> None:
    """Accepts rules whatever they need, where the caller looks at decisions and delivers nothing."""
