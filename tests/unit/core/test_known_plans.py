"""A configuration that sessions share is compiled once."""

from __future__ import annotations

import pytest

from triggers.core.config import compile_plan
from triggers.core.state.plans import Plans
from triggers.errors import InvalidConfiguration

RULES = b'{"t_bill": {"after": ["paid"], "run": "app.bill"}}'


def test_a_text_is_compiled_once_into_the_plan_that_it_describes() -> None:
    plans = Plans()

    plan = plans.compile(RULES)

    assert plan == compile_plan(RULES)
    assert plans.compile(RULES) is plan


def test_a_text_that_cannot_be_compiled_is_refused_every_time() -> None:
    plans = Plans()

    for _ in range(2):
        with pytest.raises(InvalidConfiguration, match="'run'"):
            plans.compile(b'{"t_bill": {"after": ["paid"]}}')
