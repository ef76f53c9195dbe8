"""What drivers of the engine accept of configurations of edition 2, and what they refuse when it arrives."""

from __future__ import annotations

from typing import Any

import pytest

from triggers.codec import encode_configuration
from triggers.core.config import validate_configuration
from triggers.core.delivery import check_edition_1
from triggers.core.plan import NO_CONFIGURATION
from triggers.core.state.plans import Plans
from triggers.errors import InvalidConfiguration

TASK = {"after": ["go"], "run": "app.a"}
DELIVERED: dict[str, dict[str, Any]] = {
    "conditions": {"after": [{"any": ["go", "stop"]}], "within": "1h"},
    "times": {"delay": "1m", "deadline": "1h", "retry": {"attempts": 3}},
    "cancelOn of what has not begun": {"cancelOn": ["stop"]},
    "cancelOn of what runs": {"cancelOn": {"on": ["stop"], "terminate": True}},
    "queue": {"queue": "slow"},
    "arguments": {"with": {"n": "1 + 1"}},
}


@pytest.mark.parametrize("case", DELIVERED)
def test_what_the_drivers_deliver_is_accepted(case: str) -> None:
    text = encode_configuration({"$edition": 2, "t_a": TASK | DELIVERED[case]})

    validate_configuration(text)
    assert Plans().merge(NO_CONFIGURATION, text).rules is not None


def test_forwards_are_accepted() -> None:
    text = encode_configuration({"$edition": 2, "t_a": TASK, "$forward": [{"on": "go", "to": "'s'"}]})

    assert Plans().merge(NO_CONFIGURATION, text).rules is not None


def test_edition_1_keeps_such_keys_for_the_application() -> None:
    text = encode_configuration({"t_a": TASK | {"queue": "slow", "cancelOn": {"terminate": True}}})

    assert Plans().merge(NO_CONFIGURATION, text).tasks["t_a"].extra.keys() == {"queue", "cancelOn"}


def test_a_storage_of_edition_1_refuses_edition_2() -> None:
    with pytest.raises(InvalidConfiguration, match="this storage stores sessions of edition 1 only"):
        Plans(check_edition_1).merge(NO_CONFIGURATION, encode_configuration({"$edition": 2, "t_a": TASK}))
