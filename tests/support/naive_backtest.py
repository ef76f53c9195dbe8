"""A back-test over the naive model, written as plainly as possible: it searches lists from end to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.property.naive_model import NaiveModel, Refused

Json = dict[str, Any]


@dataclass
class Happening:
    """An event of a recorded session: an operation of the naive model and its arguments."""

    time: int
    what: str
    name: str = ""
    kwargs: Json = field(default_factory=dict)


@dataclass
class Ran:
    """One run of a task."""

    instance: str
    kwargs: Json
    time: int
    cause: int | None
    """Number of the recorded event that caused it, or None for an assumed event."""
    known: str = ""
    same: int | None = None

    @property
    def task(self) -> str:
        return self.instance.partition("#")[0]


class NaiveRecorded:
    """The runs that were recorded."""

    def __init__(self, rules: Json, log: list[Happening]) -> None:
        self.runs: list[Ran] = []
        self.counted: list[bool] = []
        model = NaiveModel()
        model.configure(rules)
        for number, event in enumerate(log):
            before = len(model.scheduled)
            self.counted.append(apply_happening(model, event))
            for instance, _, kwargs in model.scheduled[before:]:
                self.runs.append(Ran(instance, kwargs, event.time, number))

    def results(self, log: list[Happening], instance: str) -> list[Happening]:
        """Returns the results of an instance that were applied."""
        return [
            e for e, counted in zip(log, self.counted, strict=True) if counted and instance_of_result(e) == instance
        ]


class NaiveRerun:
    """The runs under other rules. Without a recorded result it uses a stub, then another run's result if `reuse`."""

    def __init__(self, rules: Json, log: list[Happening], recorded: NaiveRecorded, stubs: Json, *, reuse: bool) -> None:
        self.runs: list[Ran] = []
        self._log, self._recorded, self._stubs, self._reuse = log, recorded, stubs, reuse
        self._model = NaiveModel()
        self._model.configure(rules)
        self._assumed: list[tuple[int, int, Happening]] = []
        for number, event in enumerate(log):
            self._assumed_until(event.time)
            self._recorded_event(number, event)
        self._assumed_until(None)

    def _assumed_until(self, time: int | None) -> None:
        while due := sorted(one for one in self._assumed if time is None or one[0] <= time)[:1]:
            self._assumed.remove(due[0])
            self._do(due[0][2], None)

    def _recorded_event(self, number: int, event: Happening) -> None:
        if instance_of_result(event) is None:
            if event.what == "fire":
                self._do(event, number)
            else:
                same = [run for run in self.runs if run.same is not None and self._old(run).instance == event.name]
                name = same[-1].instance if same else event.name
                self._do(Happening(event.time, event.what, name, event.kwargs), number)
        elif self._recorded.counted[number]:
            for run in self.runs:
                if run.known == "recorded" and self._old(run).instance == event.name:
                    self._do(Happening(event.time, event.what, run.instance, event.kwargs), number)

    def _do(self, event: Happening, number: int | None) -> None:
        before = len(self._model.scheduled)
        apply_happening(self._model, event)
        for instance, _, kwargs in self._model.scheduled[before:]:
            run = Ran(instance, kwargs, event.time, number)
            self._fill_in(run)
            self.runs.append(run)

    def _old(self, run: Ran) -> Ran:
        assert run.same is not None
        return self._recorded.runs[run.same]

    def _fill_in(self, run: Ran) -> None:
        run.same = self._same(run)
        if run.same is not None and run.cause is not None and self._old(run).cause == run.cause:
            run.known = "recorded"
        elif run.same is not None:
            run.known = "recorded, at another time"
            self._later(run, self._old(run))
        elif run.task in self._stubs:
            run.known = "stub"
            self._add(Happening(run.time, "finish", run.instance, self._stubs[run.task]))
        elif self._reuse and (other := self._finished(run)) is not None:
            run.known = "reused"
            self._later(run, other)
        else:
            run.known = "unknown"

    def _same(self, run: Ran) -> int | None:
        matched = {other.same for other in self.runs}
        candidates = [
            number
            for number, old in enumerate(self._recorded.runs)
            if number not in matched and old.task == run.task and old.kwargs == run.kwargs
        ]
        by_cause = [
            n for n in candidates if run.cause is not None and self._recorded.runs[n].cause == run.cause
        ] or candidates
        by_name = [n for n in by_cause if self._recorded.runs[n].instance == run.instance] or by_cause
        return by_name[0] if by_name else None

    def _finished(self, run: Ran) -> Ran | None:
        finished = [old for old in self._recorded.runs if old.task == run.task and self._ended(old)]
        return next((old for old in finished if old.instance == run.instance), finished[0] if finished else None)

    def _ended(self, old: Ran) -> bool:
        return any(event.what == "finish" for event in self._recorded.results(self._log, old.instance))

    def _later(self, run: Ran, original: Ran) -> None:
        for event in self._recorded.results(self._log, original.instance):
            self._add(Happening(run.time + event.time - original.time, event.what, run.instance, event.kwargs))

    def _add(self, event: Happening) -> None:
        self._assumed.append((event.time, len(self.runs) * 1000 + len(self._assumed), event))


def instance_of_result(event: Happening) -> str | None:
    """Returns the instance of a result, or None for any other event."""
    return event.name if event.what in {"start", "finish", "fail"} else None


def apply_happening(model: NaiveModel, event: Happening) -> bool:
    """Applies the event to the model. Returns False if it is refused or stale."""
    try:
        if event.what == "fire":
            model.fire(event.name, event.kwargs)
            return True
        if event.what == "start":
            return model.start(event.name)
        if event.what == "finish":
            return model.finish(event.name, event.kwargs)
        if event.what == "fail":
            return model.end(event.name, "failed")
        if event.what == "replay":
            model.replay(event.name, None)
        else:
            model.skip(event.name, event.kwargs, cascade=True)
    except Refused:
        return False
    return True
