"""The sessions of fault campaigns in the engine and in the model that judges them: both decide every step alike.

Rules are published while sessions go on, workers report late, twice or not at all, and timers fire too early, late, or
after they were stopped.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from itertools import count
from random import Random

import pytest
from tests.chaos.orders import (
    Burst,
    claim_session,
    order_session,
    self_configured_session,
    stray_session,
    visit_session,
)
from tests.chaos.publications import SUBJECTS, Subject
from tests.chaos.questionnaire import NO_LIMITS
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.shapes import final_of
from tests.support.edition2.state import Json
from tests.support.edition2.world import World

_OPEN_SESSIONS = 5
_TURNS = 70


class Story:
    """A random log of one partition. Each of its steps is applied to the engine and to the model."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)  # noqa: S311  # repeatable
        self._engine, self._model = EngineDriver(), World()
        self._now = 1_000_000
        self._number = count()
        self._later: list[tuple[int, int, Json]] = []
        """Time, running number and step of what follows from earlier steps."""
        self._versions: dict[str, int] = {}
        self.steps = 0

    def run(self) -> None:
        """Applies the whole log."""
        for subject in SUBJECTS:
            if not subject.is_late:
                self._publish(subject)
        for uid, burst in self._bursts():
            self._now += self._chance.choice((10, 300, 1_500, 2_500, 7_000))
            self._apply_what_is_due()
            for event in burst:
                self._apply({"session": uid, "op": "configure" if "configuration" in event else "fire"} | event)
            if self._chance.random() < 0.1:
                self._publish(self._chance.choice(SUBJECTS))

    def _bursts(self) -> Iterator[tuple[str, Burst]]:
        running: dict[str, Iterator[Burst]] = {}
        for turn in range(_TURNS):
            while len(running) < _OPEN_SESSIONS:
                kind = self._chance.choice(("order", "self", "visit", "claim", "stray"))
                running[f"{kind}-{turn}-{len(running)}"] = self._session(kind)
            uid = self._chance.choice(list(running))
            if (burst := next(running[uid], None)) is None:
                del running[uid]
            else:
                yield uid, burst

    def _session(self, kind: str) -> Iterator[Burst]:
        if kind == "self":
            return self_configured_session(self._chance, NO_LIMITS)
        makers = {"order": order_session, "visit": visit_session, "claim": claim_session, "stray": stray_session}
        return makers[kind](self._chance)

    def _publish(self, subject: Subject) -> None:
        version = self._versions[subject.name] = self._versions.get(subject.name, 0) + 1
        step: Json = {"op": "publish", "name": subject.name, "configuration": subject.rules(version)}
        step |= {"match": list(subject.match), "default": subject.is_default, "locked": subject.locked}
        self._apply(step | {"existing": self._chance.choice(("keep", "adopt"))})

    def _apply_what_is_due(self) -> None:
        until = self._now
        while self._later and self._later[0][0] <= until:
            self._now, _, step = heapq.heappop(self._later)
            self._apply(step)
        self._now = until

    def _apply(self, step: Json) -> None:
        self.steps += 1
        text = json.dumps(step | {"at": self._now})
        decided = json.loads(json.dumps(self._engine.apply(json.loads(text))))

        assert decided == json.loads(json.dumps(self._model.apply(json.loads(text)))), text
        if uid := step.get("session"):
            wanted = self._model.final(uid)
            seen = final_of(self._engine.partition.view(uid))
            assert seen == {name: wanted[name] for name in seen}, text
        for later in self._follow_ups(step.get("session", ""), decided):
            heapq.heappush(self._later, later)

    def _follow_ups(self, uid: str, decided: Json) -> Iterator[tuple[int, int, Json]]:
        for command in decided.get("scheduled", ()):
            yield from self._reports(uid, command)
        for timer in decided.get("set", ()):
            step = {"session": uid, "op": "timer"} | timer
            yield self._at(timer["due"] + self._chance.choice((0, 3, 200, 3_000)), step)
            if self._chance.random() < 0.2:
                yield self._at(max(timer["due"] - self._chance.choice((1, 700)), self._now), step)
        for forward in decided.get("forward", ()):
            fired = {name: forward[name] for name in ("trigger", "kwargs", "id")}
            yield self._at(self._now + 3, {"op": "fire", "session": forward["to"]} | fired)

    def _reports(self, uid: str, command: Json) -> Iterator[tuple[int, int, Json]]:
        begun = self._now + self._chance.choice((5, 50, 800))
        own = {"session": uid, "instance": command["instance"], "attempt": command["attempt"]}
        yield self._at(begun, own | {"op": "start"})
        kind = command["run"].rpartition(".")[2]
        if kind == "fails" or (kind == "flaky" and command["attempt"] == 1):
            error = "ValueError" if kind == "fails" else "OSError"
            ended = own | {"op": "fail", "exception": error}
        else:
            ended = own | {"op": "finish", "result": {"triggers": sorted(command["kwargs"])}}
        yield self._at(begun + 5, ended)
        if self._chance.random() < 0.1:
            yield self._at(begun + 9, ended)

    def _at(self, time: int, step: Json) -> tuple[int, int, Json]:
        return time, next(self._number), step


@pytest.mark.parametrize("seed", range(6))
def test_engine_and_model_decide_every_step_of_the_campaigns_sessions_alike(seed: int) -> None:
    story = Story(seed)

    story.run()

    assert story.steps > 120
