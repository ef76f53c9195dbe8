"""Histories of edition 2 through the engine itself: every step on a session that is loaded from its rows anew."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.support.edition2.shapes import cancellation_of, command_of, final_of, timers_of
from tests.support.edition2.state import Json

from triggers.core.commands import Decision, Outcome, RunTask
from triggers.core.delivery import accept_every_plan
from triggers.core.engine import apply
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    MetadataUpdated,
    ReplayRequested,
    RulesPublished,
    SkipRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TaskStatusChanged,
    TimerFired,
    TriggerFired,
)
from triggers.core.published import next_version
from triggers.core.state.header_codec import decode_header
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.errors import (
    CallError,
    InvalidConfiguration,
    NotFound,
    ReservedName,
    RulesLocked,
    TaskNotFound,
    UnknownRules,
    WrongStatus,
)

_OWN_ERRORS = {"ImportFailed", "Timeout"}
_ERRORS: list[tuple[type[Exception], str]] = [
    (ReservedName, "ReservedName"),
    (RulesLocked, "RulesLocked"),
    (UnknownRules, "UnknownRules"),
    (InvalidConfiguration, "InvalidConfiguration"),
    (WrongStatus, "WrongStatus"),
    (TaskNotFound, "TaskNotFound"),
    (NotFound, "InstanceNotFound"),
]


class EngineDriver:
    """One partition in memory. Those who decide and those who look keep compiled plans, as agents and readers do."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self._plans, self._seen_plans = Plans(accept_every_plan), Plans(accept_every_plan)
        self.log: list[tuple[str, Event]] = []
        """(session, event) of everything that was not refused."""
        self._newest: dict[str, RulesPublished] = {}
        self._position = -1

    def apply(self, step: Json) -> Json:
        """Apply a step; what its `expect` must be."""
        self._position += 1
        if step["op"] == "publish":
            return self._publish(step)
        uid = step.get("session", "main")
        before = self.view(uid)
        try:
            event = _placed(_EVENTS[step["op"]](step, before), step, self._position)
            decision = self.decide(uid, event)
        except (CallError, NotFound) as error:
            name = next(name for kind, name in _ERRORS if isinstance(error, kind))
            return {"outcome": "refused", "error": name}
        self.log.append((uid, event))
        if decision.outcome is Outcome.DUPLICATE:
            return {"outcome": "duplicate"}
        return _expected(before, decision, self.view(uid))

    def decide(self, uid: str, event: Event) -> Decision:
        """Apply the event to its session, and keep what changes."""
        session = Session(uid, self.rows, self._plans)
        decision = apply(session, event)
        self.rows.write(session.changes())
        return decision

    def _publish(self, step: Json) -> Json:
        own = {key: step[key] for key in ("name", "match", "existing", "locked") if step.get(key)}
        event = RulesPublished(
            **own,
            version=1,
            configuration=_text(step["configuration"]),
            is_default=step.get("default", False),
            position=self._position,
        )
        try:
            version = next_version(self._newest.get(event.name), event)
            if version is None:
                return {"outcome": "unused"}
            self.publish(version)
        except CallError:
            return {"outcome": "refused", "error": "InvalidConfiguration"}
        self._newest[event.name] = version
        self.log.append(("", version))
        return {"outcome": "applied"}

    def publish(self, version: RulesPublished) -> None:
        """Keep a version of published rules. Raises CallError."""
        self.rows.write(self._plans.publish(version, self.rows))

    def clock(self) -> int:
        """The clock of the session `main`."""
        row = self.rows.get(header_key("main"))
        return decode_header(row).clock if row else 0

    def view(self, uid: str) -> SessionView:
        """The session as people see it."""
        return view_session(Session(uid, self.rows, self._seen_plans))

    def final(self) -> Json:
        """What `final` says of the session `main`, with everything from its rows, as after a restart."""
        self._plans, self._seen_plans = Plans(accept_every_plan), Plans(accept_every_plan)
        return final_of(self.view("main")) | {"clock": self.clock()}


def _placed(event: Event, step: Json, position: int) -> Event:
    own = step.get("time") if step["op"] == "fire" else None
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    fields |= {"position": position, "time": own or step["at"], "recorded": step["at"]}
    return type(event)(**fields)


def _expected(before: SessionView, decision: Decision, after: SessionView) -> Json:
    was = {own.name: own.status for own in before.instances}
    stood, stand = timers_of(before), timers_of(after)
    rules = decision.rules
    found: Json = {
        "outcome": decision.outcome.value,
        "changed": {own.name: own.status for own in after.instances if was.get(own.name) != own.status},
        "scheduled": [command_of(command) for command in decision.commands if isinstance(command, RunTask)],
        "cancel": [cancellation_of(own) for own in decision.cancels],
        "set": [timer for timer in stand if timer not in stood],
        "unset": [timer for timer in stood if timer not in stand],
        "fired": [fire.trigger for fire in decision.fires],
        "forward": [
            {"to": own.session, "trigger": own.trigger, "kwargs": json.loads(own.kwargs), "id": own.id}
            for own in decision.forwards
        ],
        "rules": None if rules is None else {"name": rules.name, "version": rules.version},
    }
    return {key: value for key, value in found.items() if value}


# -- events -----------------------------------------------------------------------------------------------------------


def _text(value: object) -> bytes:
    return json.dumps(value).encode()


def _fire(step: Json, _: SessionView) -> Event:
    return TriggerFired(
        trigger=step["trigger"],
        kwargs=_text(step.get("kwargs") or {}),
        id=step.get("id"),
        source=step.get("source"),
        rules=step.get("rules"),
    )


def _finish(step: Json, _: SessionView) -> Event:
    result = step.get("result") or {}
    attempt = step.get("attempt", 0)
    if isinstance(result, dict):
        return TaskFinished(instance=step["instance"], attempt=attempt, result=_text(result))
    context = _text({"actual_result": result})
    return TaskFailed(
        instance=step["instance"], attempt=attempt, exception_type="builtins.ValueError", exception_context=context
    )


def _fail(step: Json, _: SessionView) -> Event:
    return TaskFailed(
        instance=step["instance"],
        attempt=step.get("attempt", 0),
        exception_type=_exception(step["exception"]),
        exception_context=_text(step.get("context") or {}),
    )


def _exception(name: str) -> str:
    return f"app.errors.{name}" if name in _OWN_ERRORS else f"builtins.{name}"


def _retry(step: Json, seen: SessionView) -> Event:
    depth = next((own.depth for own in seen.instances if own.name == step["instance"]), 0)
    exception, attempt = step.get("exception"), step.get("attempt", 0)
    if depth >= step.get("max_retries", 3):
        known = {} if exception is None else {"exceptionType": _exception(exception), "exceptionContext": {}}
        return TaskFailed(
            instance=step["instance"],
            attempt=attempt,
            exception_type="triggers.task.MaxRetriesExceeded",
            exception_context=_text({"replay_metadata": known}),
        )
    return TaskRetried(
        instance=step["instance"],
        attempt=attempt,
        exception_type=None if exception is None else _exception(exception),
        replacement_kwargs=_text(step["kwargs"]) if step.get("kwargs") is not None else None,
        cooldown_ms=int(step.get("cooldown", 0) * 1000),
    )


_EVENTS: dict[str, Callable[[Json, SessionView], Event]] = {
    "configure": lambda step, _: ConfigurationUpdated(configuration=_text(step["configuration"])),
    "fire": _fire,
    "timer": lambda step, _: TimerFired(instance=step["instance"], attempt=0, due=step["due"], kind=step["kind"]),
    "start": lambda step, _: TaskStarted(instance=step["instance"], attempt=step.get("attempt", 0)),
    "finish": _finish,
    "fail": _fail,
    "retry": _retry,
    "status_change": lambda step, _: TaskStatusChanged(
        instance=step["instance"],
        attempt=step.get("attempt", 0),
        status=step["status"],
        metadata=_text(step.get("metadata") or {}),
    ),
    "replay": lambda step, _: ReplayRequested(
        instance=step["instance"],
        replacement_kwargs=_text(step["kwargs"]) if step.get("kwargs") is not None else None,
    ),
    "skip": lambda step, _: SkipRequested(
        instance=step["instance"], cascade=step.get("cascade", False), result=_text(step.get("result") or {})
    ),
    "set_status": lambda step, _: StatusSet(
        instance=step["instance"],
        status=step["status"],
        metadata=_text(step.get("metadata") or {}),
        cascade=step.get("cascade", False),
        cascade_kwargs=_text(step.get("cascade_kwargs") or {}),
    ),
    "set_metadata": lambda step, _: MetadataUpdated(instance=step["instance"], metadata=_text(step["metadata"])),
}
