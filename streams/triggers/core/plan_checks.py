"""Checks that a storage can carry out a configuration. A rule that it would ignore is refused when it arrives."""

from __future__ import annotations

from triggers.core.edition_2_plan import FORWARD
from triggers.core.plan import Plan
from triggers.errors import InvalidConfiguration


def accept_every_plan(plan: Plan) -> None:
    """Accepts all rules: the caller delivers every decision, or only looks at them."""


def check_embedded(plan: Plan) -> None:
    """Raises InvalidConfiguration for what an embedded storage cannot carry out: queues, triggers for other sessions,
    and the end of a running task. The routing of a runner's tasks is a matter of Celery's own settings.
    """
    if plan.edition_2 is None:
        return
    if plan.edition_2.forwards:
        raise InvalidConfiguration(f"{FORWARD!r}: an embedded storage reaches one session only; use the stream")
    for name, task in plan.edition_2.tasks.items():
        if task.queue is not None:
            raise InvalidConfiguration(
                f"task {name!r}: 'queue': {task.queue!r}: an embedded storage has no queues; use the stream,"
                " or Celery's task_routes"
            )
        if task.cancel_on is not None and task.cancel_on.terminate:
            raise InvalidConfiguration(
                f"task {name!r}: 'cancelOn': 'terminate': an embedded storage cannot end a running task; use the stream"
            )
