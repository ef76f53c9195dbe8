"""`LocalSession`: a session whose tasks run in this process, one after another, with a clock that the test sets.

The engine is that of the stream, and so are the calls of tasks, timers, retries and results. There is no Kafka, no
Celery worker and no thread, and nothing waits.

    def test_a_customer_who_does_not_pay_is_reminded():
        session = LocalSession(RULES, {"shop.remind": remind})
        session.fire("orderPlaced", {"order": 17})
        session.advance("15m")
        assert session.kwargs_of("t_remind") == [{"orderPlaced": {"order": 17}}]
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from triggers.codec import NO_LIMIT
from triggers.core.commands import Outcome, RunTask
from triggers.core.events import Event
from triggers.core.instance_names import parse_instance_name
from triggers.core.nearest_name import suggestion
from triggers.errors import CallError, TaskNotFound
from triggers.manager import TriggerManager
from triggers.results.result_events import (
    CommandName,
    RetryAsked,
    StatusSetByTask,
    failed_event,
    finished_event,
    started_event,
    verdict_event,
)
from triggers.storages.memory import MemoryStorage
from triggers.testing.played_tasks import Duration, InTurn, Lost, Takes, TaskRun, milliseconds_of, outcome_of
from triggers.testing.task_calls import call_task

START: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z, at which sessions start."""

Kwargs = Mapping[str, object]

log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class LocalSession:
    """A session for tests of rules and tasks. Each method returns after all tasks that follow from it have run."""

    def __init__(
        self,
        rules: Mapping[str, Any],
        tasks: Mapping[str, Any] | None = None,
        *,
        app: Any = None,
        uid: str = "local",
        manager: Callable[[MemoryStorage], TriggerManager] = TriggerManager,
        start: int = START,
    ) -> None:
        """`tasks` maps names of rules, or of Celery tasks (`run`), to what they do: a function, a task of Celery, an
        exception that is raised, `takes`, `in_turn`, `NEVER_STARTS`, `NEVER_ENDS`, or the result itself.

        A task that is not there is that of the Celery `app`; without `app`, it returns None. `manager` is a class of
        your own, if its hooks are to run. `start` is in milliseconds since 1970.

        Raises InvalidConfiguration, and CallError for a name in `tasks` that no rule has.
        """
        self.now = start
        """The time of the session, in milliseconds since 1970."""
        self.storage = MemoryStorage(uid, now=lambda: self.now)
        self.manager = manager(self.storage)
        """The session's manager. After calling it directly, call `run_tasks`."""
        self.runs: list[TaskRun] = []
        """All runs of tasks, in order."""
        self._tasks = dict(tasks or {})
        self._app = app
        self._begun = 0
        self._ending: list[tuple[int, int, TaskRun, Any]] = []
        self.configure(rules)
        self._check_names()

    # -- what happens -------------------------------------------------------------------------------------------------

    def fire(self, trigger: str, kwargs: Kwargs | None = None, *, event_id: str | None = None) -> None:
        """Fires a trigger, and runs the tasks that follow from it. Raises what `TriggerManager.fire` raises."""
        self.manager.fire(trigger, kwargs, event_id=event_id)
        self.run_tasks()

    def configure(self, rules: Mapping[str, Any]) -> None:
        """Adds rules, or replaces those of the same name."""
        self.manager.update_configuration(rules)
        self.run_tasks()

    def replay(self, instance: str, replacement_kwargs: Mapping[str, Kwargs] | None = None) -> None:
        """Runs a failed instance again, as an operator does."""
        self.manager.replay_failed_instance(instance, replacement_kwargs)
        self.run_tasks()

    def skip(self, instance: str, *, cascade: bool = False, result: Kwargs | None = None) -> None:
        """Resolves a failed instance without running it, as an operator does."""
        self.manager.skip_failed_instance(instance, cascade, result)
        self.run_tasks()

    def advance(self, duration: Duration) -> None:
        """Lets time pass. Everything that becomes due happens at its own time: delays, deadlines, retries, timeouts."""
        until = self.now + milliseconds_of(duration)
        while (due := self._next_moment()) is not None and due <= until:
            self.now = max(self.now, due)
            self._end_tasks()
            self.manager.run_due()
            self.run_tasks()
        self.now = until

    def run_tasks(self) -> None:
        """Runs the tasks that are scheduled, and those that follow from them, in the order of their commands."""
        while self._begun < len(self.storage.commands):
            command = self.storage.commands[self._begun]
            self._begun += 1
            if isinstance(command, RunTask):
                self._begin(command)

    # -- what was seen ------------------------------------------------------------------------------------------------

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each instance, in creation order."""
        return {instance.name: instance.status for instance in self.storage}

    def runs_of(self, task: str) -> list[TaskRun]:
        """Returns the runs of a rule's task. Raises TaskNotFound if there is no such rule."""
        if task not in self.storage.tasks:
            raise TaskNotFound(f"no rule is named {task!r}{suggestion(task, self.storage.tasks)}")
        return [run for run in self.runs if run.task == task]

    def kwargs_of(self, task: str) -> list[dict[str, Any]]:
        """Returns the keyword arguments of each run of a rule's task. Raises TaskNotFound."""
        return [run.kwargs for run in self.runs_of(task)]

    def next_due(self) -> int | None:
        """Returns the milliseconds until something is due, or None if nothing is."""
        due = self._next_moment()
        return None if due is None else max(0, due - self.now)

    # -- tasks --------------------------------------------------------------------------------------------------------

    def _begin(self, command: RunTask) -> None:
        played = self._played(command)
        if isinstance(played, InTurn):
            played = played.take()
        if isinstance(played, Lost) and not played.begins:
            return
        name = CommandName(session=command.session, instance=command.instance, attempt=command.attempt)
        if self._write(started_event(name)) is Outcome.STALE:
            return  # cancelled or overdue before it began
        task, _ = parse_instance_name(command.instance)
        run = TaskRun(command.instance, task, _decode(command.kwargs), command.attempt, self.now)
        self.runs.append(run)
        if isinstance(played, Takes):
            heapq.heappush(self._ending, (self.now + played.milliseconds, len(self.runs), run, (command, played)))
        elif not isinstance(played, Lost):
            self._write(self._result(command, run, played))

    def _end_tasks(self) -> None:
        while self._ending and self._ending[0][0] <= self.now:
            _, _, run, (command, played) = heapq.heappop(self._ending)
            self._write(self._result(command, run, played.outcome))

    def _result(self, command: RunTask, run: TaskRun, played: Any) -> Event:
        name = CommandName(session=command.session, instance=command.instance, attempt=command.attempt)
        try:
            outcome = outcome_of(played, run, lambda task: call_task(task, command, run, self.manager))
        except Exception as error:
            run.error = error
            log.exception("%s failed", command.id)
            return failed_event(name, error, log_level=run.log_level, max_payload_bytes=NO_LIMIT)
        if isinstance(outcome, StatusSetByTask | RetryAsked):
            return verdict_event(name, outcome, NO_LIMIT)
        return finished_event(name, outcome, run.log_level, NO_LIMIT)

    def _write(self, event: Event) -> Outcome:
        decision = self.storage.write(event)
        self.manager.run_hooks(event, decision)
        return decision.outcome

    def _next_moment(self) -> int | None:
        moments = [end for end, *_ in self._ending[:1]]
        if (due := self.storage.next_due()) is not None:
            moments.append(due)
        return min(moments, default=None)

    def _played(self, command: RunTask) -> Any:
        for name in (parse_instance_name(command.instance)[0], command.run):
            if name in self._tasks:
                return self._tasks[name]
        if self._app is None:
            return None
        self._app.finalize()
        if command.run in self._app.tasks:
            return self._app.tasks[command.run]
        tasks = [name for name in self._app.tasks if not name.startswith("celery.")]
        raise TaskNotFound(
            f"{command.instance}: neither `tasks` nor the Celery app {self._app.main!r} has a task {command.run!r}"
            f"{suggestion(command.run, tasks)}; the app has {', '.join(sorted(tasks)) or 'none'}"
        )

    def _check_names(self) -> None:
        rules = self.storage.tasks
        known = {*rules, *(rule.run for rule in rules.values())}
        for name in self._tasks:
            if name not in known:
                raise CallError(f"tasks: no rule is named {name!r}, and none runs it{suggestion(name, known)}")
