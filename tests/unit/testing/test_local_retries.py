"""Retries that a task's own options ask for, in a local session."""

from __future__ import annotations

from triggers.task import TaskContext, TriggerTask
from triggers.testing import LocalSession


class Unsteady(TriggerTask):
    name = "shop.unsteady"
    autoretry_for = (ConnectionError,)
    default_retry_delay = 30

    def _run(self, context: TaskContext) -> dict[str, object]:
        if context.attempt == 1 and self.request.retries == 0:
            raise ConnectionError("away")
        return {"retries": self.request.retries}


def test_autoretry_for_of_a_trigger_task_retries_its_instance() -> None:
    session = LocalSession({"t_a": {"after": ["a"], "run": "shop.unsteady"}}, {"t_a": Unsteady})
    session.fire("a")
    assert session.statuses == {"t_a#0": "replayed", "t_a#1": "scheduled"}

    session.advance("30s")

    assert session.statuses == {"t_a#0": "replayed", "t_a#1": "finished"}
    assert session.runs_of("t_a")[1].at == "2026-01-01T00:00:30.000Z"
