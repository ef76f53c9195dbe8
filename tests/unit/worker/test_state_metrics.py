from __future__ import annotations

from collections import Counter

from triggers.telemetry.bounded_counter import OTHER
from triggers.worker.state_metrics import MAX_TASKS, limit_tasks


def test_the_tasks_of_an_application_have_series_of_their_own() -> None:
    instances = Counter({("t_a", "failed"): 2, ("t_b", "finished"): 3})

    assert limit_tasks(instances) == instances


def test_tasks_beyond_the_limit_are_counted_together_by_status() -> None:
    instances = Counter({(f"t_{number:05}", "failed"): 1 for number in range(MAX_TASKS + 5)})
    instances["t_99999", "finished"] = 7

    limited = limit_tasks(instances)

    assert limited[OTHER, "failed"] == 5
    assert limited[OTHER, "finished"] == 7
    assert len({task for task, _ in limited}) == MAX_TASKS + 1
    assert limited.total() == instances.total()
