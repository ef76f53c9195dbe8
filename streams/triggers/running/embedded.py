"""Hops 7 and 8 without Kafka: runs a task whose session is in an embedded storage and reports its result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from triggers.codec import NO_LIMIT, encode_object
from triggers.core.commands import Outcome
from triggers.core.decision import Decision
from triggers.core.events import Event
from triggers.results.result_events import (
    CommandName,
    RetryAsked,
    StatusSetByTask,
    failed_event,
    finished_event,
    started_event,
    verdict_event,
)
from triggers.running.context import TaskContext

Kwargs = Mapping[str, Any]
Body = Callable[[TaskContext], "Kwargs | StatusSetByTask | RetryAsked"]

log = logging.getLogger(__name__)


def run_embedded(context: TaskContext, body: Body) -> Kwargs | None:
    """Runs the body and reports its result to the session.

    An exception of the body is reported and raised again. If the command is delivered again after its attempt got a
    result or was replayed, the body does not run and None is returned.
    """
    name = CommandName(session=context.storage_uid, instance=context.instance_name, attempt=context.attempt)
    begun = _report(context, started_event(name))
    if begun.outcome == Outcome.STALE and not _may_run(context):
        log.info("session %s: %s was delivered again and is not run again", name.session, name.instance)
        return None
    try:
        outcome = body(context)
        event = _event(name, outcome, context.log_level)
    except Exception as error:
        _report(context, failed_event(name, error, log_level=context.log_level, max_payload_bytes=NO_LIMIT))
        raise
    _report(context, event)
    return outcome if isinstance(outcome, Mapping) else None


def _event(name: CommandName, outcome: Kwargs | StatusSetByTask | RetryAsked, log_level: int) -> Event:
    """Returns the event that reports the outcome. Raises CallError if the result cannot be encoded."""
    if isinstance(outcome, Mapping):
        encode_object(outcome, "result")
        return finished_event(name, outcome, log_level, NO_LIMIT)
    return verdict_event(name, outcome, NO_LIMIT)


def _report(context: TaskContext, event: Event) -> Decision:
    """Writes the event, then runs the hooks. An exception of a hook is logged, because the event is written already."""
    manager = context.manager
    decision = manager.record(event)
    if decision is None:
        raise TypeError(f"storage {context.storage_type!r} is not an embedded storage: its workers report results")
    try:
        manager.run_hooks(event, decision)
    except Exception:
        log.exception("session %s: a hook of %s failed", context.storage_uid, type(manager).__name__)
    return decision


def _may_run(context: TaskContext) -> bool:
    """Returns whether the attempt is open: its first run was lost, or another process is still running it."""
    context.manager.storage.refresh()
    instance = context.task_instance
    return not instance.engine.get("attempt_closed", False) and context.attempt in {0, instance.attempt}
