"""An operator cancels an instance: a waiting one never runs, and the result of a running one has no effect."""

from __future__ import annotations

import pytest
from tests.support.memory_session import MemorySession

from triggers.core.commands import Outcome
from triggers.core.events import CancelRequested, TaskFailed, TaskFinished
from triggers.errors import InstanceNotFound, WrongStatus

EDITION_1 = {"t_ship": {"after": ["paid"], "run": "ship"}, "t_thank": {"after": ["t_ship", "known"], "run": "thank"}}
EDITION_2 = {"$edition": 2, **EDITION_1, "t_tell": {"after": ["t_ship:cancelled"], "run": "tell"}}


def statuses(session: MemorySession) -> dict[str, str]:
    return {instance.name: instance.status for instance in session.view().instances}


def test_a_waiting_instance_is_abandoned_and_no_longer_runs() -> None:
    session = MemorySession(EDITION_1)
    session.fire("known")

    session.apply(CancelRequested(instance="t_thank#0"))
    session.fire("t_ship")

    assert statuses(session) == {"t_thank#0": "abandoned"}


def test_a_running_instance_is_skipped_without_a_cascade_and_its_result_is_stale() -> None:
    session = MemorySession(EDITION_1)
    session.fire("paid")

    session.apply(CancelRequested(instance="t_ship#0"))
    late = session.apply(TaskFinished(instance="t_ship#0", attempt=1, result=b"{}"))

    assert late.outcome is Outcome.STALE
    assert statuses(session) == {"t_ship#0": "skipped"}


@pytest.mark.parametrize("terminate", [True, False])
def test_in_edition_2_the_command_is_withdrawn_and_the_outcome_fires(*, terminate: bool) -> None:
    session = MemorySession(EDITION_2)
    session.fire("paid")

    decision = session.apply(CancelRequested(instance="t_ship#0", terminate=terminate))

    assert [(each.instance, each.attempt, each.terminate) for each in decision.cancels] == [("t_ship#0", 1, terminate)]
    assert statuses(session) == {"t_ship#0": "cancelled", "t_tell#0": "scheduled"}
    assert session.apply(TaskFinished(instance="t_ship#0", attempt=1)).outcome is Outcome.STALE


def test_in_edition_2_a_waiting_instance_is_cancelled_without_a_command() -> None:
    session = MemorySession(EDITION_2)
    session.fire("known")

    decision = session.apply(CancelRequested(instance="t_thank#0"))
    session.fire("t_ship")

    assert not decision.cancels
    assert statuses(session) == {"t_thank#0": "cancelled"}


@pytest.mark.parametrize("rules", [EDITION_1, EDITION_2])
def test_what_has_ended_cannot_be_cancelled(rules: dict[str, object]) -> None:
    session = MemorySession(rules)
    session.fire("paid")
    session.apply(TaskFailed(instance="t_ship#0", attempt=1, exception_type="ValueError"))

    with pytest.raises(WrongStatus, match="failed state cannot be cancelled"):
        session.apply(CancelRequested(instance="t_ship#0"))
    with pytest.raises(InstanceNotFound):
        session.apply(CancelRequested(instance="t_ship#9"))
