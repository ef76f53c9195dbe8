"""Checks before an operator's event is published, so that a wrong one is refused at once and makes no dead letter."""

from __future__ import annotations

from typing import Final

from triggers.core.operations import REPLAYABLE
from triggers.core.statuses import RESOLVED_IN_EDITION_2, Status, describe_refusal, may_be_set
from triggers.core.view import InstanceView
from triggers.errors import WrongStatus

_OVER: Final = RESOLVED_IN_EDITION_2 | {Status.FAILED}


def require_repairable(instance: InstanceView, action: str) -> None:
    """Raises WrongStatus unless the instance may be `replayed` or `skipped`.

    An expired or cancelled instance may be replayed in edition 2. In edition 1, where these may be an application's
    own statuses, the engine itself refuses the event.
    """
    allowed = REPLAYABLE if action == "replayed" else frozenset({Status.FAILED})
    if instance.status not in allowed:
        raise WrongStatus(describe_refusal(instance.name, instance.status, action))


def require_unfinished(instance: InstanceView) -> None:
    """Raises WrongStatus unless the instance waits or is on its way, so that it can be cancelled."""
    if instance.status in _OVER:
        raise WrongStatus(describe_refusal(instance.name, instance.status, "cancelled"))


def require_settable(instance: InstanceView, status: str, *, force: bool) -> None:
    """Raises WrongStatus if a status may only be set with `force`."""
    if not force and not may_be_set(instance.status, status):
        raise WrongStatus(describe_refusal(instance.name, instance.status, f'set to "{status}" without force'))
