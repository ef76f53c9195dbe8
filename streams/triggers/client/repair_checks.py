"""Checks an operator's event before it is published, so that an invalid one is refused instead of a dead letter."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from triggers.core.statuses import SKIPPABLE, Status, describe_refusal, is_resolved, may_be_replayed, may_be_set
from triggers.core.view import InstanceView
from triggers.errors import CallError, WrongStatus

Check = Callable[[InstanceView, int], None]
"""Raises WrongStatus unless the instance, in a session with rules of that edition, allows an event."""


def require_repairable(action: str, instance: InstanceView, edition: int) -> None:
    """Raises WrongStatus unless the instance may be `replayed` or `skipped`."""
    status = instance.status
    if not (may_be_replayed(status, edition) if action == "replayed" else status in SKIPPABLE):
        raise WrongStatus(describe_refusal(instance.name, status, action))


def require_unfinished(instance: InstanceView, edition: int) -> None:
    """Raises WrongStatus unless the instance can be cancelled: it must be neither failed nor resolved."""
    if is_resolved(instance.status, edition) or instance.status == Status.FAILED:
        raise WrongStatus(describe_refusal(instance.name, instance.status, "cancelled"))


def require_settable(status: str, instance: InstanceView, edition: int, *, force: bool) -> None:
    """Raises WrongStatus if a status may only be set with `force`."""
    if not force and not may_be_set(instance.status, status, edition):
        raise WrongStatus(describe_refusal(instance.name, instance.status, f'set to "{status}" without force'))


def parse_replacement_kwargs(payload: bytes) -> dict[str, Raw]:
    """Returns the kwargs of each trigger in a JSON object. Raises CallError if those of one are not an object."""
    kwargs = msgspec.json.decode(payload, type=dict[str, Raw])
    for trigger, value in kwargs.items():
        if not bytes(value).startswith(b"{"):
            raise CallError(f"kwargs: the value of {trigger!r:.100} must be a JSON object with the trigger's kwargs")
    return kwargs
