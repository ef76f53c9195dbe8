"""One run of a task whose session is in an embedded storage: hops 7 and 8 without Kafka."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from triggers.celery.command_headers import CommandName
from triggers.celery.outcomes import RetryAsked, StatusSetByTask, decided, failed, finished, started
from triggers.codec import NO_LIMIT, encode_object
from triggers.core.commands import Decision, Outcome
from triggers.core.events import Event
from triggers.task_context import TaskContext

Kwargs = Mapping[str, Any]
Body = Callable[[TaskContext], "Kwargs | StatusSetByTask | RetryAsked"]

log = logging.getLogger(__name__)


def run_embedded(context: TaskContext, body: Body) -> Kwargs | None:
    """Run the body and report what becomes of it to the session. Raises what the body raises, after reporting it.

    A command that is delivered again after its attempt has a result, or was replayed, does not run.
    """
    name = CommandName(session=context.storage_uid, instance=context.instance_name, attempt=context.attempt)
    begun = _report(context, started(name))
    if begun.outcome == Outcome.STALE and not _may_run(context):
        log.info("session %s: %s was delivered again and does not run", name.session, name.instance)
        return None
    try:
        outcome = body(context)
        event = _event(name, outcome, context.log_level)
    except Exception as error:
        _report(context, failed(name, error, log_level=context.log_level, max_payload_bytes=NO_LIMIT))
        raise
    _report(context, event)
    return outcome if isinstance(outcome, Mapping) else None


def _event(name: CommandName, outcome: Kwargs | StatusSetByTask | RetryAsked, log_level: int) -> Event:
    """Raises CallError for a result that cannot be kept."""
    if isinstance(outcome, Mapping):
        encode_object(outcome, "result")
        return finished(name, outcome, log_level, NO_LIMIT)
    return decided(name, outcome, NO_LIMIT)


def _report(context: TaskContext, event: Event) -> Decision:
    """A hook that raises cannot undo what has happened."""
    manager = context.manager
    decision = manager.record(event)
    if decision is None:
        raise TypeError(f"storage {context.storage_type!r} has workers of its own")
    try:
        manager.run_hooks(event, decision)
    except Exception:
        log.exception("session %s: a hook of %s failed", context.storage_uid, type(manager).__name__)
    return decision


def _may_run(context: TaskContext) -> bool:
    """Whether the attempt has no result yet: its first run was lost, or goes on somewhere else."""
    context.manager.storage.refresh()
    instance = context.task_instance
    return not instance.engine.get("settled", False) and context.attempt in {0, instance.attempt}
