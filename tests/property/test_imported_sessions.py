"""A session that is exported and imported is the same session, and goes on in the same way."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace
from tests.property.scripts import Script
from tests.support.memory_session import MemorySession

from triggers.core.commands import Decision, RunTask
from triggers.core.events import Event, SessionImported, TaskEvent, TimerFired, TriggerFired
from triggers.core.view import SessionView, state_of

OWN = ["a", "b", "c", "d", "p", "x"]


def random_session(seed: int, steps: int = 60) -> MemorySession:
    script = Script(Random(seed), OWN)  # noqa: S311  # a repeatable script
    for _ in range(steps):
        script.step()
    return script.pair.core


def imported(session: MemorySession, *, reissue: bool = False) -> MemorySession:
    """The same session somewhere else. Events go on where they were."""
    there = MemorySession(uid=session.uid)
    there.log += session.log
    there.apply(SessionImported(state=state_of(session.view()), reissue=reissue))
    return there


def without_its_age(view: SessionView) -> SessionView:
    """Without the number of events, and the time of the import."""
    return replace(view, events=0, modified=0)


@pytest.mark.parametrize("seed", range(30))
def test_an_imported_session_looks_as_it_did(seed: int) -> None:
    session = random_session(seed)

    assert without_its_age(imported(session).view()) == without_its_age(session.view())


@pytest.mark.parametrize("seed", range(30))
def test_an_imported_session_goes_on_as_it_would_have(seed: int) -> None:
    session = random_session(seed)
    there = imported(session)
    session.log.append(there.log[-1])

    rest: list[Event] = [event for event in random_session(seed + 1000).log if isinstance(event, TriggerFired)]
    for event in [*rest, *reports(session)]:
        assert commanded(there.apply(event)) == commanded(session.apply(event))

    assert there.statuses() == session.statuses()


def reports(session: MemorySession) -> list[Event]:
    """What workers and timers may still say of its instances."""
    random = Random(7)  # noqa: S311  # a repeatable script
    script: list[Event] = [event for event in session.log if isinstance(event, TaskEvent | TimerFired)]
    return random.sample(script, min(20, len(script)))


def commanded(decision: Decision) -> list[RunTask]:
    return [command for command in decision.commands if isinstance(command, RunTask)]


@pytest.mark.parametrize("seed", range(30))
def test_what_was_in_flight_is_issued_again_when_asked(seed: int) -> None:
    session = random_session(seed)
    in_flight = {i.name for i in session.view().instances if i.status in {"scheduled", "running"} and not i.due}
    there = MemorySession(uid=session.uid)

    decision = there.apply(SessionImported(state=state_of(session.view()), reissue=True))

    assert {command.instance for command in commanded(decision)} >= in_flight
    again = {i.name: i for i in there.view().instances}
    before = {i.name: i for i in session.view().instances}
    assert all(again[name].attempt == before[name].attempt + 1 for name in in_flight)
