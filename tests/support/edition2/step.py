"""One record applied to a session of the model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec
from tests.support.edition2.state import WAITING, Instance, Json, Session

from triggers.core.calling import ArgumentFailed, bind_received, encode_arguments, make_forward
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Bound, Evaluator, Occurrence
from triggers.core.conditions.held import Memory
from triggers.core.conditions.memory import remember, seeds
from triggers.core.conditions.offering import Offered, Taken, match_leaves, offer
from triggers.core.conditions.receiving import mark_begun, received
from triggers.core.conditions.tree import Leaf
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.kwargs import join_object, merge
from triggers.core.timing import delay_due

encode = msgspec.json.Encoder().encode
MAX_CHAIN = 64


@dataclass
class Fire:
    """A trigger that is to be fired."""

    trigger: str
    kwargs: bytes
    depth: int = 0
    id: str | None = None
    source: str | None = None
    chain: int = 0
    """How many outcomes within the step led to this trigger."""


@dataclass
class Step:
    """Does what one record asks for, and collects what comes of it."""

    session: Session
    position: int
    time: int
    applied: bool = False
    stopped: bool = False
    depth: int = 0
    chain: int = 0
    queue: deque[Fire] = field(default_factory=deque)
    scheduled: list[Json] = field(default_factory=list)
    cancel: list[Json] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    forward: list[Json] = field(default_factory=list)

    def evaluator(self) -> Evaluator:
        return Evaluator(self.session.variables())

    # -- fires --------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Fire what is queued, first in first out."""
        while self.queue:
            fire = self.queue.popleft()
            if fire.chain > MAX_CHAIN:
                self.stopped = True
                continue
            self.depth, self.chain = fire.depth, fire.chain
            self.fire(fire)

    def fire(self, fire: Fire) -> None:
        session = self.session
        self.fired.append(fire.trigger)
        session.fires += 1
        own = Contribution(
            fire.kwargs,
            session.clock,
            session.fires,
            b"",
            self.time,
            fire.id,
            fire.source,
        )
        occurrence = Occurrence(fire.trigger, own)
        ready: list[tuple[Edition2Rule, Instance]] = []
        for task in session.rules.by_trigger.get(fire.trigger, ()):
            self._cancel(task, occurrence)
            ready += self._offer(task, occurrence)
        session.latest[fire.trigger] = own
        for task, instance in ready:
            self._ready(task, instance)
        self._forward(occurrence)

    def _cancel(self, task: Edition2Rule, occurrence: Occurrence) -> None:
        if task.cancel_on is None:
            return
        evaluator = self.evaluator()
        for instance in self.session.of(task.name):
            if instance.status not in WAITING | {"scheduled", "running"}:
                continue
            if any(self._cancels(task, leaf, instance, occurrence, evaluator) for leaf in task.cancel_on.leaves):
                self.applied = True
                if instance.attempt and not instance.settled:
                    self.cancel.append(
                        {
                            "instance": instance.name,
                            "attempt": instance.attempt,
                            "terminate": task.cancel_on.terminate,
                            **({"queue": instance.queue} if instance.queue else {}),
                        }
                    )
                self.end(task, instance, "cancelled")

    def _cancels(
        self, task: Edition2Rule, leaf: Leaf, instance: Instance, occurrence: Occurrence, evaluator: Evaluator
    ) -> bool:
        if leaf.trigger != occurrence.trigger:
            return False
        if leaf.when is None:
            return True
        return evaluator.is_true(leaf.when, occurrence, self._bound(task, instance, evaluator))

    def _bound(self, task: Edition2Rule, instance: Instance, evaluator: Evaluator) -> Bound:
        if instance.status in WAITING:
            return ConditionView(task.conditions, instance.held, evaluator).bound
        return bind_received(join_object(instance.kwargs))

    def _offer(self, task: Edition2Rule, occurrence: Occurrence) -> list[tuple[Edition2Rule, Instance]]:
        evaluator, conditions = self.evaluator(), task.conditions
        leaves = conditions.by_trigger.get(occurrence.trigger, ())
        offered = match_leaves(leaves, occurrence, evaluator)
        if not offered.keys:
            return []
        self.applied = True
        memory = self.session.memory.setdefault(task.name, Memory())
        remember(memory, leaves, offered)
        took = False
        for instance in self.session.of(task.name):
            if instance.status in WAITING:
                took = self._give(task, instance, offered, evaluator).took or took
        if self._creates(task, offered, took=took):
            self._create(task, memory, offered, evaluator)
        return self._look(task, evaluator)

    def _creates(self, task: Edition2Rule, offered: Offered, *, took: bool) -> bool:
        own = [leaf for leaf in task.conditions.leaves if leaf.slot in offered.keys and not leaf.correlated]
        if not self.session.of(task.name):
            return bool(own)
        return task.conditions.and_every in own and not took

    def _give(self, task: Edition2Rule, instance: Instance, offered: Offered, evaluator: Evaluator) -> Taken:
        view = ConditionView(task.conditions, instance.held, evaluator)
        taken = offer(view, offered)
        clock = self.session.clock
        if taken.took:
            instance.depth = self.depth
        if mark_begun(view, offered.contribution.order) and task.deadline:
            instance.timers["deadline"] = clock + task.deadline.wait
        if taken.in_after and instance.status == "delayed" and task.delay and task.delay.restart:
            instance.timers["delay"] = delay_due(task.delay, clock, instance.delayed_at)
        return taken

    def _create(self, task: Edition2Rule, memory: Memory, offered: Offered, evaluator: Evaluator) -> None:
        session = self.session
        instance = Instance(task.name, len(session.of(task.name)), session.clock, depth=self.depth)
        session.instances.append(instance)
        view = ConditionView(task.conditions, instance.held, evaluator)
        for seed in seeds(task.conditions, memory, offered):
            offer(view, seed)
        offer(view, offered)
        if mark_begun(view) and task.deadline:
            instance.timers["deadline"] = session.clock + task.deadline.wait

    def _look(self, task: Edition2Rule, evaluator: Evaluator) -> list[tuple[Edition2Rule, Instance]]:
        ready: list[tuple[Edition2Rule, Instance]] = []
        for instance in self.session.of(task.name):
            if instance.status not in WAITING:
                continue
            view = ConditionView(task.conditions, instance.held, evaluator)
            if task.conditions.unless is not None and view.is_true(task.conditions.unless):
                self.end(task, instance, "abandoned")
            elif instance.status == "unstarted" and view.is_true(task.conditions.root):
                ready.append((task, instance))
        return ready

    def _ready(self, task: Edition2Rule, instance: Instance) -> None:
        if task.delay is None:
            self.start(task, instance)
            return
        clock = self.session.clock
        instance.status, instance.delayed_at = "delayed", clock
        instance.timers["delay"] = delay_due(task.delay, clock, clock)

    def _forward(self, occurrence: Occurrence) -> None:
        for forward in self.session.rules.forwards:
            event_id = f"forward:{self.session.uid}:{self.position}:{len(self.forward)}"
            if sent := make_forward(forward, occurrence, self.evaluator(), event_id):
                self.applied = True
                kwargs = msgspec.json.decode(sent.kwargs)
                self.forward.append({"to": sent.session, "trigger": sent.trigger, "kwargs": kwargs, "id": sent.id})

    # -- instances ----------------------------------------------------------------------------------------------------

    def freeze(self, task: Edition2Rule, instance: Instance) -> None:
        """Fix what the task receives, because the instance stops waiting."""
        if instance.status not in WAITING:
            return
        instance.kwargs = received(ConditionView(task.conditions, instance.held, self.evaluator()))

    def end(self, task: Edition2Rule | None, instance: Instance, status: str, outcome_depth: int | None = None) -> None:
        """Give the instance a status that only an event or a command changes again."""
        if task is not None:
            self.freeze(task, instance)
        instance.status, instance.settled = status, True
        instance.timers.clear()
        self.outcome(instance, outcome_depth)

    def outcome(self, instance: Instance, depth: int | None = None) -> None:
        """Fire `<task>:<status>` for whoever names it."""
        trigger = f"{instance.task}:{instance.status}"
        if self.session.edition < 2 or instance.status not in OUTCOMES or trigger not in self.session.rules.named:
            return
        kwargs: Json = {"instance": instance.name, "status": instance.status}
        if instance.status == "failed":
            kwargs |= {"exceptionType": instance.exception[0], "exceptionContext": msgspec.Raw(instance.exception[1])}
        self.queue.append(
            Fire(trigger, encode(kwargs), self.depth + 1 if depth is None else depth, chain=self.chain + 1)
        )

    def start(self, task: Edition2Rule, instance: Instance) -> None:
        """Issue the instance's next attempt, unless its cascade is too deep or its arguments cannot be evaluated."""
        self.freeze(task, instance)
        instance.timers.clear()
        most = self.session.rules.limits.max_cascade_depth
        instance.depth = self.depth
        if self.depth > most:
            self.stopped = True
            instance.exception = ("triggers.CascadeTooDeep", encode({"maxCascadeDepth": most}))
            self.end(None, instance, "failed", most)
            return
        self.issue(task, instance)

    def issue(self, task: Edition2Rule, instance: Instance) -> None:
        arguments = self._arguments(task, instance)
        if arguments is None:
            self.end(None, instance, "failed")
            return
        instance.status, instance.settled, instance.queue = "scheduled", False, task.queue
        instance.attempt += 1
        command = {
            "instance": instance.name,
            "attempt": instance.attempt,
            "run": task.run,
            "kwargs": msgspec.json.decode(arguments),
        }
        self.scheduled.append(
            command | ({"queue": task.queue} if task.queue else {}) | ({"using": task.using} if task.using else {})
        )
        self.watch(task, instance)

    def watch(self, task: Edition2Rule, instance: Instance) -> None:
        limits = self.session.rules.timeouts_of(task)
        limit = limits.scheduled if instance.status == "scheduled" else limits.running
        if limit:
            instance.timers[instance.status] = self.session.clock + limit

    def _arguments(self, task: Edition2Rule, instance: Instance) -> bytes | None:
        fired = join_object(instance.kwargs)
        if task.arguments is None:
            return merge(encode(task.with_params), fired) if task.with_params else fired
        try:
            return encode_arguments(task.arguments, fired, self.evaluator())
        except ArgumentFailed as failed:
            instance.exception = ("triggers.ExpressionError", encode({"parameter": str(failed)}))
            return None


def kwargs_of(session: Session, instance: Instance) -> Json:
    """Return the values that an instance has by alias, without `withParams` and `with`."""
    own = instance.kwargs
    if instance.status in WAITING and (task := session.rules.tasks.get(instance.task)):
        own = received(ConditionView(task.conditions, instance.held, Evaluator(session.variables())))
    return {alias: msgspec.json.decode(text) for alias, text in own.items()}
