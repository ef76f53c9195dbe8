"""What drivers of the engine accept of configurations of edition 2, and what they refuse when it arrives."""

from __future__ import annotations

from typing import Any

import pytest

from triggers.codec import encode_configuration
from triggers.core.config import validate_configuration
from triggers.core.plan import NO_CONFIGURATION
from triggers.core.plan_checks import check_embedded
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
NOT_EMBEDDED: dict[str, tuple[dict[str, Any], str]] = {
    "queue": ({"t_a": TASK | {"queue": "slow"}}, "task 't_a': 'queue': 'slow': an embedded storage has no queues"),
    "terminate": (
        {"t_a": TASK | {"cancelOn": {"on": ["stop"], "terminate": True}}},
        "task 't_a': 'cancelOn': 'terminate': an embedded storage cannot end a running task",
    ),
    "forward": (
        {"t_a": TASK, "$forward": [{"on": "go", "to": "'s'"}]},
        r"'\$forward': an embedded storage reaches one session only",
    ),
}


@pytest.mark.parametrize("case", DELIVERED)
def test_what_the_drivers_deliver_is_accepted(case: str) -> None:
    text = encode_configuration({"$edition": 2, "t_a": TASK | DELIVERED[case]})

    validate_configuration(text)
    assert Plans().merge(NO_CONFIGURATION, text).edition_2 is not None


def test_forwards_are_accepted() -> None:
    text = encode_configuration({"$edition": 2, "t_a": TASK, "$forward": [{"on": "go", "to": "'s'"}]})

    assert Plans().merge(NO_CONFIGURATION, text).edition_2 is not None


def test_edition_1_keeps_such_keys_for_the_application() -> None:
    text = encode_configuration({"t_a": TASK | {"queue": "slow", "cancelOn": {"terminate": True}}})

    assert Plans().merge(NO_CONFIGURATION, text).tasks["t_a"].extra.keys() == {"queue", "cancelOn"}


@pytest.mark.parametrize("case", NOT_EMBEDDED)
def test_an_embedded_storage_refuses_rules_with_effects_outside_the_session(case: str) -> None:
    tasks, message = NOT_EMBEDDED[case]

    with pytest.raises(InvalidConfiguration, match=message + ".*; use the stream"):
        Plans(check_embedded).merge(NO_CONFIGURATION, encode_configuration({"$edition": 2, **tasks}))
