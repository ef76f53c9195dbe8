"""Refuses configurations whose effects the drivers of the engine do not deliver yet.

The engine decides by all rules of edition 2, but some decisions have to leave the session: the end of a running task,
triggers for other sessions. A rule that needs one of these is refused when it arrives. Otherwise it would be ignored
without a word.
"""

from __future__ import annotations

from triggers.core.plan import Plan
from triggers.core.rule_set import EDITION, FORWARD
from triggers.errors import InvalidConfiguration


def check_deliverable(plan: Plan) -> None:
    """Raises InvalidConfiguration for `$forward`, and `cancelOn` with `terminate`."""
    if plan.rules is None:
        return
    if plan.rules.forwards:
        raise InvalidConfiguration(f"{FORWARD!r}: this release does not deliver forwards; remove it")
    for name, task in plan.rules.tasks.items():
        if task.cancel_on is not None and task.cancel_on.terminate:
            raise InvalidConfiguration(
                f"task {name!r}: 'cancelOn': 'terminate': this release does not end running tasks; remove it"
            )


def check_edition_1(plan: Plan) -> None:
    """Raises InvalidConfiguration for rules of edition 2, in storages that cannot store its state."""
    if plan.rules is not None:
        raise InvalidConfiguration(
            f"{EDITION!r}: 2: this storage stores sessions of edition 1 only; use the stream, or remove it"
        )


def accept_every_plan(plan: Plan) -> None:
    """Accepts rules whatever they need, where the caller looks at decisions and delivers nothing."""
