"""The operations of a history, each a function of the step and of what the history gives with it."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.edition2.state import Instance, Json, Refused, Session
from tests.support.edition2.step import Fire, Step, encode

from triggers.core.edition_2_plan import is_reserved
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.kwargs import split_members
from triggers.core.timer_kinds import TimerKind
from triggers.core.timing import is_retried, retry_wait

RESULTS = {"start", "finish", "fail", "retry", "status_change"}
OWN_ERRORS = {"ImportFailed", "Timeout"}


def is_stale(session: Session, op: str, given: Json) -> bool:
    """Return whether a result or a timer comes too late to change anything."""
    instance = find(session, given["instance"])
    if op == "timer":
        stands = instance.timers.get(given["kind"]) == given["due"]
        return not stands or max(session.clock, given["at"]) < given["due"]
    attempt = given.get("attempt") or instance.attempt
    return instance.settled or attempt != instance.attempt or (op == "start" and instance.status != "scheduled")


def fire(step: Step, given: Json) -> None:
    if step.session.edition == 2 and is_reserved(given["trigger"]):
        raise Refused("ReservedName")
    if given.get("id") is not None:
        step.session.ids.add(given["id"])
    kwargs = encode(given.get("kwargs") or {})
    step.queue.append(Fire(given["trigger"], kwargs, id=given.get("id"), source=given.get("source")))


def start(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    found.status = "running"
    found.timers.clear()
    step.watch(_task(step, found), found)


def finish(step: Step, given: Json) -> None:
    result = given.get("result") or {}
    if not isinstance(result, dict):
        fail(step, given | {"exception": "ValueError", "context": {"actual_result": result}})
        return
    found = find(step.session, given["instance"])
    found.status, found.settled = "finished", True
    found.timers.clear()
    step.queue.append(Fire(found.task, encode(result), found.depth + 1))


def fail(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    task, kind = _task(step, found), _exception(given["exception"])
    found.exception = kind, encode(given.get("context") or {})
    step.depth = found.depth
    if not (task.retry and found.attempt < task.retry.attempts and is_retried(task.retry, kind)):
        step.end(None, found, "failed")
        return
    found.status, found.settled = "scheduled", True
    found.timers.clear()
    wait = retry_wait(task.retry, step.session.uid, found.name, found.attempt)
    found.timers["retry"] = step.session.clock + wait


def retry(step: Step, given: Json) -> None:
    found, exception = find(step.session, given["instance"]), given.get("exception")
    step.depth = found.depth
    known = {} if exception is None else {"exceptionType": _exception(exception), "exceptionContext": {}}
    if exception is not None:
        found.exception = _exception(exception), b"{}"
    if found.ancestors >= given.get("max_retries", 3):
        found.exception = "triggers.task.MaxRetriesExceeded", encode({"replay_metadata": known})
        step.end(None, found, "failed")
        return
    _clone(step, found, given.get("kwargs"), int(given.get("cooldown", 0) * 1000))


def status_change(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    step.depth = found.depth
    _note_metadata(found, given.get("metadata"))
    step.end(None, found, given["status"])


def timer(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    del found.timers[given["kind"]]
    task = _task(step, found)
    step.depth = found.depth
    match TimerKind(given["kind"]):
        case TimerKind.DELAY:
            step.start(task, found)
        case TimerKind.RETRY | TimerKind.COOLDOWN:
            step.issue(task, found)
        case TimerKind.DEADLINE:
            _end_of_waiting(step, task, found)
        case TimerKind.SCHEDULED | TimerKind.RUNNING:
            _overdue(step, task, found)


def _end_of_waiting(step: Step, task: Edition2Rule, found: Instance) -> None:
    if task.deadline is not None and task.deadline.runs:
        step.start(task, found)
    elif task.deadline is not None:
        step.end(task, found, "expired")


def _overdue(step: Step, task: Edition2Rule, found: Instance) -> None:
    limits = step.session.rules.timeouts_of(task)
    if not (limits.scheduled if found.status == "scheduled" else limits.running):
        return
    attempts = task.retry.attempts if task.retry else limits.attempts
    if found.attempt < attempts:
        step.issue(task, found)
        return
    found.exception = "triggers.TimedOut", encode({"status": found.status, "attempts": attempts})
    step.end(None, found, "failed")


def replay(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    if found.status not in ({"failed", "expired", "cancelled"} if step.session.edition == 2 else {"failed"}):
        raise Refused("WrongStatus")
    _clone(step, found, given.get("kwargs"), 0)


def _clone(step: Step, parent: Instance, kwargs: Json | None, cooldown: int) -> None:
    session = step.session
    task = session.rules.tasks.get(parent.task)
    if task is None:
        raise Refused("TaskNotFound")
    parent.status, parent.settled = "replayed", True
    parent.timers.clear()
    own = dict(parent.kwargs) if kwargs is None else split_members(encode(kwargs))
    clone = Instance(parent.task, len(session.of(parent.task)), session.clock, "scheduled", kwargs=own)
    clone.ancestors, clone.parent, clone.depth = parent.ancestors + 1, parent.name, step.depth
    session.instances.append(clone)
    if cooldown:
        clone.timers["cooldown"] = session.clock + cooldown
    else:
        step.start(task, clone)


def skip(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    if found.status != "failed":
        raise Refused("WrongStatus")
    if given.get("cascade"):
        step.queue.append(Fire(found.task, encode(given.get("result") or {})))
    step.end(None, found, "skipped")


def set_status(step: Step, given: Json) -> None:
    found = find(step.session, given["instance"])
    _note_metadata(found, given.get("metadata"))
    if given.get("cascade"):
        step.queue.append(Fire(found.task, encode(given.get("cascade_kwargs") or {})))
    step.end(None, found, given["status"])


def set_metadata(step: Step, given: Json) -> None:
    _note_metadata(find(step.session, given["instance"]), given["metadata"])


OPERATIONS: dict[str, Callable[[Step, Json], None]] = {
    "fire": fire,
    "start": start,
    "finish": finish,
    "fail": fail,
    "retry": retry,
    "status_change": status_change,
    "timer": timer,
    "replay": replay,
    "skip": skip,
    "set_status": set_status,
    "set_metadata": set_metadata,
}


def find(session: Session, name: str) -> Instance:
    for instance in session.instances:
        if instance.name == name:
            return instance
    raise Refused("InstanceNotFound")


def _task(step: Step, instance: Instance) -> Edition2Rule:
    return step.session.rules.tasks[instance.task]


def _exception(name: str) -> str:
    if "." in name:  # from a log, not from a history
        return name
    return f"app.errors.{name}" if name in OWN_ERRORS else f"builtins.{name}"


def _note_metadata(instance: Instance, metadata: Json | None) -> None:
    kind, context = instance.exception
    if metadata and "exceptionType" in metadata:
        kind = metadata["exceptionType"]
    if metadata and "exceptionContext" in metadata:
        context = encode(metadata["exceptionContext"])
    instance.exception = kind, context
