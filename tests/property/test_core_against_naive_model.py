"""The core, with its cohorts and rows, agrees with the naive model in statuses, kwargs, order and commands."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property.scripts import TRIGGERS, Script

NOT_TASKS = [trigger for trigger in TRIGGERS if not trigger.startswith("t_")]


@pytest.mark.parametrize("seed", range(150))
def test_a_random_session_agrees_with_the_model_after_every_step(seed: int) -> None:
    script = Script(Random(seed), NOT_TASKS)  # noqa: S311  # a repeatable script

    for _ in range(80):
        script.step()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_a_session_that_hypothesis_can_shrink_agrees_with_the_model(random: Random) -> None:
    script = Script(random, NOT_TASKS)

    for _ in range(40):
        script.step()


def test_applications_may_fire_the_names_of_tasks() -> None:
    for seed in range(40):
        script = Script(Random(seed))  # noqa: S311  # a repeatable script
        for _ in range(80):
            script.step()
