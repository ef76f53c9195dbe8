"""An exported session that is imported is the same session, and continues in the same way."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace
from tests.property.scripts import Script
from tests.support.memory_session import MemorySession

from triggers.core.commands import RunTask
from triggers.core.decision import Decision
from triggers.core.events import Event, SessionImported, TaskEvent, TimerFired, TriggerFired
from triggers.core.view import SessionView, importable_state

OWN = ["a", "b", "c", "d", "p", "x"]


def random_session(seed: int, steps: int = 60) -> MemorySession:
    script = Script(Random(seed), OWN)  # noqa: S311  # a repeatable script
    for _ in range(steps):
        script.step()
    return script.pair.core


def imported(session: MemorySession, *, reissue: bool = False) -> MemorySession:
    """Imports the session elsewhere, with the next position after its last one."""
    copy = MemorySession(uid=session.uid)
    copy.log += session.log
    copy.apply(SessionImported(state=importable_state(session.view()), reissue=reissue))
    return copy


def without_its_age(view: SessionView) -> SessionView:
    """Drops the number of events and the time of the last one, in which an import differs."""
    return replace(view, events=0, modified=0, clock=0)


@pytest.mark.parametrize("seed", range(30))
def test_an_imported_session_has_the_same_view(seed: int) -> None:
    session = random_session(seed)

    assert without_its_age(imported(session).view()) == without_its_age(session.view())


@pytest.mark.parametrize("seed", range(30))
def test_an_imported_session_continues_like_the_original(seed: int) -> None:
    session = random_session(seed)
    copy = imported(session)
    session.log.append(copy.log[-1])

    rest: list[Event] = [event for event in random_session(seed + 1000).log if isinstance(event, TriggerFired)]
    for event in [*rest, *reports(session)]:
        assert commanded(copy.apply(event)) == commanded(session.apply(event))

    assert copy.statuses() == session.statuses()


def reports(session: MemorySession) -> list[Event]:
    """Returns late results and timers of the session's instances."""
    random = Random(7)  # noqa: S311  # a repeatable script
    script: list[Event] = [event for event in session.log if isinstance(event, TaskEvent | TimerFired)]
    return random.sample(script, min(20, len(script)))


def commanded(decision: Decision) -> list[RunTask]:
    return [command for command in decision.commands if isinstance(command, RunTask)]


@pytest.mark.parametrize("seed", range(30))
def test_commands_in_flight_are_issued_again_on_request(seed: int) -> None:
    session = random_session(seed)
    in_flight = {i.name for i in session.view().instances if i.status in {"scheduled", "running"} and not i.due}
    copy = MemorySession(uid=session.uid)

    decision = copy.apply(SessionImported(state=importable_state(session.view()), reissue=True))

    assert {command.instance for command in commanded(decision)} >= in_flight
    again = {i.name: i for i in copy.view().instances}
    before = {i.name: i for i in session.view().instances}
    assert all(again[name].attempt == before[name].attempt + 1 for name in in_flight)
