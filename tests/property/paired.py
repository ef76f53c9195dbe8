"""The naive model and the core side by side: every operation is applied to both, and both must agree after it."""

from __future__ import annotations

import json
from typing import Any

from tests.property.naive_model import RESOLVED, Instance, Kwargs, NaiveModel, Refused
from tests.support.memory_session import MemorySession

from triggers.core.commands import Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.events import (
    CloneRequested,
    Event,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStarted,
    TaskStatusChanged,
    TimerFired,
)
from triggers.core.view import InstanceView, SessionView
from triggers.errors import CallError, NotFound


def text(value: object) -> bytes:
    """Returns a value as a JSON payload."""
    return json.dumps(value).encode()


class Pair:
    """A session in model and core. Each operation fails if they differ after it."""

    def __init__(self) -> None:
        self.model = NaiveModel()
        self.core = MemorySession()

    def configure(self, configuration: dict[str, Any]) -> None:
        self.model.configure(configuration)
        self.core.configure(configuration)
        self.check()

    def fire(self, trigger: str, kwargs: Kwargs) -> None:
        ready = self.model.fire(trigger, kwargs)
        decision = self.core.fire(trigger, **kwargs)
        assert decision.fires[0].scheduled == tuple(ready)
        self._check(decision)

    def start(self, name: str) -> None:
        self._report(self.model.start(name), TaskStarted(instance=name))

    def finish(self, name: str, result: Kwargs) -> None:
        self._report(self.model.finish(name, result), TaskFinished(instance=name, result=text(result)))

    def fail(self, name: str) -> None:
        self._report(self.model.end(name, "failed"), TaskFailed(instance=name, exception_type="app.E"))

    def status_change(self, name: str, status: str) -> None:
        self._report(self.model.end(name, status), TaskStatusChanged(instance=name, status=status))

    def retry(self, name: str, kwargs: Kwargs | None, cooldown: int) -> None:
        replacement = None if kwargs is None else text(kwargs)
        event = TaskRetried(instance=name, replacement_kwargs=replacement, cooldown_ms=cooldown)
        self._report(self.model.retry(name, kwargs, cooldown), event)

    def timer(self, name: str, attempt: int) -> None:
        self._report(self.model.timer(name, attempt), TimerFired(instance=name, attempt=attempt))

    def replay(self, name: str, kwargs: Kwargs | None) -> None:
        event = ReplayRequested(instance=name, replacement_kwargs=None if kwargs is None else text(kwargs))
        try:
            self.model.replay(name, kwargs)
        except Refused:
            self._refuses(event)
        else:
            self._check(self.core.apply(event))

    def skip(self, name: str, result: Kwargs, *, cascade: bool) -> None:
        event = SkipRequested(instance=name, cascade=cascade, result=text(result))
        try:
            self.model.skip(name, result, cascade=cascade)
        except Refused:
            self._refuses(event)
        else:
            self._check(self.core.apply(event))

    def set_status(self, name: str, status: str, kwargs: Kwargs | None) -> None:
        event = StatusSet(
            instance=name, status=status, cascade=kwargs is not None, cascade_kwargs=text(kwargs or {}), force=True
        )
        self.model.set_status(name, status, kwargs)
        self._check(self.core.apply(event))

    def set_metadata(self, name: str, metadata: Kwargs) -> None:
        self.model.set_metadata(name, metadata)
        self._check(self.core.apply(MetadataUpdated(instance=name, metadata=text(metadata))))

    def clone(self, name: str) -> None:
        self.model.clone(name)
        self._check(self.core.apply(CloneRequested(instance=name)))

    def _report(self, counts: bool, event: Event) -> None:  # `counts` is the model's answer
        rows = dict(self.core.rows)
        decision = self.core.apply(event)
        assert (decision.outcome is not Outcome.STALE) == counts
        if not counts:
            assert _without_header(self.core.rows) == _without_header(rows)
        self._check(decision)

    def _refuses(self, event: Event) -> None:
        rows = dict(self.core.rows)
        try:
            self.core.apply(event)
        except (CallError, NotFound):
            assert self.core.rows == rows
        else:
            raise AssertionError(f"the model refuses {event}, but the core does not")

    def _check(self, decision: Decision) -> None:
        issued = [(c.instance, c.run, json.loads(c.kwargs)) for c in decision.commands if isinstance(c, RunTask)]
        assert issued == self.model.scheduled
        self.model.scheduled = []
        self.check()
        statuses = {instance.name: instance.status for instance in self.model.instances}
        assert dict(decision.changed).items() <= statuses.items()

    def check(self) -> None:
        """Fails if anything visible differs between the two."""
        session = self.core.view()
        assert [_seen(instance) for instance in session.instances] == list(map(_expected, self.model.instances))
        assert _plain(session.latest_kwargs) == self.model.latest
        assert [task.name for task in session.tasks] == list(self.model.tasks)
        unresolved = [i.name for i in self.model.instances if i.status not in RESOLVED]
        assert session.unresolved_instances == unresolved
        self._check_counts(session)

    def _check_counts(self, session: SessionView) -> None:
        for task in session.tasks:
            mine = self.model.of_task(task.name)
            open_ones = sum(instance.status not in RESOLVED for instance in mine)
            assert (task.instances, task.unresolved) == (len(mine), open_ones)
            assert (task.name in session.unresolved_tasks) == (not mine or open_ones > 0)


def _seen(instance: InstanceView) -> tuple[object, ...]:
    metadata = {k: v for k, v in _plain(instance.metadata).items() if k in {"result", "note"}}
    state = (instance.name, instance.task, instance.status, _plain(instance.kwargs), sorted(instance.abandon_state))
    return (*state, instance.depth, instance.parent, instance.attempt, instance.due is not None, metadata)


def _expected(instance: Instance) -> tuple[object, ...]:
    state = (instance.name, instance.task, instance.status, instance.kwargs, sorted(instance.seen))
    return (*state, instance.depth, instance.parent, instance.attempt, instance.waits_for_timer, instance.metadata)


def _plain(payloads: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(bytes(payload)) for name, payload in payloads.items()}


def _without_header(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {key: row for key, row in rows.items() if key[:1] != b"s" and key[6:7] != b"x"}
