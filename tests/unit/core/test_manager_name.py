"""`$manager` names the manager whose hooks run for a session."""

from __future__ import annotations

import pytest

from triggers.core.config import compile_plan, validate_configuration
from triggers.errors import InvalidConfiguration


def test_a_configuration_may_name_a_manager_and_it_is_no_task() -> None:
    plan = compile_plan(b'{"$manager": "audit", "t_a": {"after": ["go"], "run": "app.a"}}')

    assert plan.manager == "audit"
    assert list(plan.tasks) == ["t_a"]


def test_a_configuration_without_one_names_none() -> None:
    assert compile_plan(b'{"t_a": {"after": ["go"], "run": "app.a"}}').manager == ""


def test_a_manager_that_is_not_a_key_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match=r"\$manager"):
        validate_configuration(b'{"$manager": {"name": "audit"}}')
