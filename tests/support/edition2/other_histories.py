"""Random histories of other shapes than the recorded ones.

Nested sequences with windows and counts, correlated `unless`, collecting with deadlines, retries and `cancelOn`,
outcomes that rules react to, and published rules that sessions adopt while their timers run. Many steps happen at the
moment at which something is due.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.support.edition2.state import WAITING, Instance, Json, Session
from tests.support.edition2.world import World

TRIGGERS = ("a", "b", "c", "d")
TASKS = ("t_0", "t_1", "t_2", "t_3")
OUTCOMES = ("failed", "expired", "abandoned", "cancelled", "skipped")
START = 1_000_000


class Rules:
    """Makes random rules."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._aliases: list[str] = []

    def configuration(self, *, blocks: bool = True) -> Json:
        """Return a configuration, nearly always a valid one."""
        random = self._random
        names = random.sample(TASKS, random.randint(1, 4))
        own: Json = {"$edition": 2} | {name: self.task() for name in names}
        if blocks and random.random() < 0.3:
            own["$session"] = {"finalize": "done"}
            own["t_end"] = {"after": ["done"], "run": "app.End"}
        if blocks and random.random() < 0.2:
            own["$forward"] = [{"on": self._pick(TRIGGERS), "to": "'other'", "as": "sent"}]
        if blocks and random.random() < 0.15:
            own["$limits"] = {"maxCascadeDepth": random.randint(1, 3), "timeouts": {"running": "40s"}}
        return own

    def task(self) -> Json:
        """Return a rule of one task."""
        random, self._aliases = self._random, []
        rule: Json = {"run": "app.T"}
        if random.random() < 0.45:
            rule["andEvery"] = self._and_every()
        shape = random.random()
        if "andEvery" in rule and shape < 0.4:
            rule["after"] = []
        elif shape < 0.3:
            rule["after"] = [self._leaf() for _ in range(random.randint(1, 2))]
        elif shape < 0.65:
            rule["after"] = [self._condition(2) for _ in range(random.randint(1, 3))]
        else:
            rule["after"] = self._combinator(3)
        self._add_time(rule)
        self._add_stops(rule)
        if random.random() < 0.2 and self._aliases:
            rule["with"] = {"x": f"on.{self._pick(self._aliases)}.v", "s": "session.uid"}
        if random.random() < 0.1:
            rule["optional"] = True
        return rule

    def _and_every(self) -> object:
        random = self._random
        leaf: Json = {"trigger": self._trigger(), "as": self._alias()}
        if random.random() < 0.3:
            leaf["count"] = random.choice([2, 3, "all"])
        if random.random() < 0.25:
            leaf["when"] = f"kwargs.v >= {random.randint(0, 2)}"
        if random.random() < 0.2:
            leaf["keep"] = random.choice(["first", "latest"])
        return leaf

    def _condition(self, depth: int) -> object:
        if depth == 0 or self._random.random() < 0.5:
            return self._leaf()
        return self._combinator(depth)

    def _combinator(self, depth: int) -> Json:
        random = self._random
        children = [self._condition(depth - 1) for _ in range(random.randint(1, 3))]
        kind = random.choice(["all", "any", "sequence", "sequence", "atLeast"])
        made: Json = (
            {"atLeast": random.randint(1, len(children)), "of": children} if kind == "atLeast" else {kind: children}
        )
        if random.random() < 0.45:
            made["within"] = random.choice(["1s", "5s", "20s"])
        return made

    def _leaf(self) -> object:
        random = self._random
        leaf: Json = {"trigger": self._trigger()}
        chance = random.random()
        if chance < 0.2 and self._aliases:
            leaf["when"] = f"kwargs.id == on.{self._pick(self._aliases)}.id"
        elif chance < 0.4:
            leaf["when"] = random.choice(["kwargs.v >= 1", "kwargs.v > 1", "kwargs.id == 'x'", "event.trigger != 'b'"])
        leaf["as"] = self._alias()
        if random.random() < 0.4:
            leaf["count"] = random.choice([1, 2, 2, 3, "all", f"on.{self._pick(self._aliases)}.v", "on.absent.v"])
        if random.random() < 0.25:
            leaf["distinct"] = random.choice(["kwargs.v", "kwargs.id", "kwargs.absent"])
        if random.random() < 0.3:
            leaf["keep"] = random.choice(["first", "latest"])
        return leaf

    def _add_time(self, rule: Json) -> None:
        random = self._random
        if random.random() < 0.4:
            wait = random.choice(["1s", "5s", "5s", "20s"])
            chance = random.random()
            if chance < 0.4:
                rule["delay"] = wait
            elif chance < 0.7:
                rule["delay"] = {"for": wait, "restart": True}
            else:
                rule["delay"] = {"for": wait, "restart": True, "atMost": "20s"}
        if random.random() < 0.4:
            then = random.choice(["expire", "run"])
            rule["deadline"] = random.choice(["5s", {"in": random.choice(["1s", "5s", "20s"]), "then": then}])
        if random.random() < 0.3:
            retry: Json = {"attempts": random.randint(1, 3), "wait": random.choice(["1s", "5s"])}
            retry |= random.choice([{}, {"jitter": 0}, {"on": ["ImportFailed"]}, {"except": ["Timeout"]}])
            rule["retry"] = retry
        if random.random() < 0.2:
            rule["timeouts"] = {"scheduled": "5s", "running": "20s", "attempts": random.randint(1, 2)}
        if random.random() < 0.15:
            rule["within"] = random.choice(["5s", "20s"])

    def _add_stops(self, rule: Json) -> None:
        random = self._random
        if random.random() < 0.4:
            rule["unless"] = [self._stop(anything=True) for _ in range(random.randint(1, 2))]
            if random.random() < 0.25:
                rule["unless"] = {random.choice(["any", "sequence"]): rule["unless"], "within": "5s"}
        if random.random() < 0.35:
            on = [self._stop(anything=False) for _ in range(random.randint(1, 2))]
            rule["cancelOn"] = {"on": on, "terminate": True} if random.random() < 0.3 else on

    def _stop(self, *, anything: bool) -> Json:
        random = self._random
        leaf: Json = {"trigger": self._trigger()}
        if self._aliases and random.random() < 0.5:
            leaf["when"] = f"kwargs.id == on.{self._pick(self._aliases)}.id"
        elif random.random() < 0.5:
            leaf["when"] = f"kwargs.v >= {random.randint(1, 2)}"
        if anything and random.random() < 0.25:
            leaf["count"] = 2
        return leaf

    def _trigger(self) -> str:
        random = self._random
        chance = random.random()
        if chance < 0.08:
            return f"{self._pick(TASKS)}:{self._pick(OUTCOMES)}"
        return self._pick(TASKS) if chance < 0.2 else self._pick(TRIGGERS)

    def _alias(self) -> str:
        self._aliases.append(f"x{len(self._aliases)}")
        return self._aliases[-1]

    def _pick(self, names: Any) -> str:  # noqa: ANN401  # any sequence of names
        picked: str = self._random.choice(names)
        return picked


class Script:
    """Makes the steps of one history, from what the model says is there."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # no secrets
        self._rules = Rules(self._random)
        self.model = World()
        self._at = START
        self._ids = 0

    def first_steps(self) -> list[Json]:
        """Return the steps that give the session its rules."""
        if self._random.random() < 0.4:
            return [self._publish(), *([self._publish()] if self._random.random() < 0.3 else [])]
        return [{"op": "configure", "at": self._at, "configuration": self._rules.configuration()}]

    def next_step(self) -> Json:
        """Return a step that may happen now."""
        random, session = self._random, self.model.sessions.get("main")
        due = _next_due(session)
        self._pass_time(due)
        if due is not None and due[0] <= self._at and random.random() < 0.75:
            return {"op": "timer", "at": self._at, "due": due[0], "kind": due[1], "instance": due[2]}
        chance = random.random()
        if session is None or not session.instances or chance < 0.5:
            return self._fire()
        if chance < 0.55:
            return {"op": "configure", "at": self._at, "configuration": self._update()}
        if chance < 0.6 and session.bound:
            return self._publish(session.bound[0])
        live = [own for own in session.instances if not own.settled or own.status in {"failed", "expired", "cancelled"}]
        return self._about(random.choice(live if live and random.random() < 0.8 else session.instances))

    def _pass_time(self, due: tuple[int, str, str] | None) -> None:
        chance = self._random.random()
        if due is not None and chance < 0.35:
            self._at = max(self._at, due[0])
        elif chance < 0.75:
            self._at += self._random.choice([1, 500, 1_000, 1_000, 4_999, 5_000])

    def _fire(self) -> Json:
        random = self._random
        kwargs = {"v": random.randint(0, 3), "id": random.choice("xyz")}
        if random.random() < 0.1:
            del kwargs[random.choice(["v", "id"])]
        names = [*TRIGGERS, *TRIGGERS, *TRIGGERS, *TASKS]
        step: Json = {"op": "fire", "at": self._at, "trigger": random.choice(names), "kwargs": kwargs}
        if random.random() < 0.15:
            self._ids += random.randint(0, 1)
            step["id"] = f"e{self._ids}"
        return step

    def _about(self, instance: Instance) -> Json:
        random, name = self._random, instance.name
        ops = ["start", "finish", "finish", "fail", "fail", "retry", "status_change"]
        if instance.status in {"failed", "expired", "cancelled"}:
            ops = ["replay", "replay", "skip", "finish"]
        elif instance.status in WAITING and random.random() < 0.7:
            return self._fire()
        step: Json = {"op": random.choice(ops), "at": self._at, "instance": name}
        match step["op"]:
            case "finish":
                step["result"] = {"v": random.randint(0, 3), "id": random.choice("xyz")}
            case "fail":
                step["exception"] = random.choice(["ImportFailed", "Timeout", "KeyError"])
            case "retry":
                step |= random.choice([{}, {"cooldown": 5}, {"kwargs": {"x0": {"v": 1}}}])
            case "status_change":
                step["status"] = random.choice(["parked", "skipped"])
            case "skip":
                step |= random.choice([{}, {"cascade": True, "result": {"v": 2, "id": "x"}}])
            case _:
                pass
        return step

    def _update(self) -> Json:
        """Replaces or adds one task, sometimes one that differs little from what it was."""
        random, session = self._random, self.model.sessions["main"]
        written = {name: own for name, own in session.written.items() if name in TASKS}
        if not written or random.random() < 0.4:
            return {random.choice(TASKS): self._rules.task()}
        name = random.choice(list(written))
        rule, other = dict(written[name]), self._rules.task()
        key = random.choice(["after", "unless", "cancelOn", "delay", "deadline", "retry", "within", "timeouts", "with"])
        rule.pop(key, None)
        if key in other:
            rule[key] = other[key]
        return {name: rule}

    def _publish(self, name: str = "rules") -> Json:
        random = self._random
        step: Json = {
            "op": "publish",
            "at": self._at,
            "name": name,
            "configuration": self._rules.configuration(),
            "existing": random.choice(["adopt", "adopt", "keep"]),
        }
        step |= random.choice([{"default": True}, {"match": ["ma*"]}])
        return step | ({"locked": True} if random.random() < 0.1 else {})


def _next_due(session: Session | None) -> tuple[int, str, str] | None:
    """Return the timer that comes next: due time, kind, instance."""
    order = ("delay", "retry", "cooldown", "scheduled", "running", "deadline")
    timers = [
        (due, order.index(kind), own.name)
        for own in (session.instances if session else [])
        for kind, due in own.timers.items()
    ]
    if not timers:
        return None
    due, kind, name = min(timers)
    return due, order[kind], name
