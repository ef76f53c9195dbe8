"""Configurations of edition 2 that need what no driver delivers are refused when they arrive."""

from __future__ import annotations

from typing import Any

import pytest

from triggers.codec import encode_configuration
from triggers.core.config import validate_configuration
from triggers.core.delivery import accept_every_plan, check_embedded
from triggers.core.plan import NO_CONFIGURATION
from triggers.core.state.plans import Plans
from triggers.errors import InvalidConfiguration

TASK = {"after": ["go"], "run": "app.a"}
DELIVERED: dict[str, dict[str, Any]] = {
    "conditions": {"after": [{"any": ["go", "stop"]}], "within": "1h"},
    "times": {"delay": "1m", "deadline": "1h", "retry": {"attempts": 3}},
    "cancelOn of what has not begun": {"cancelOn": ["stop"]},
    "arguments": {"with": {"n": "1 + 1"}},
}
UNDELIVERED: dict[str, tuple[dict[str, Any], str]] = {
    "queue": ({"t_a": TASK | {"queue": "slow"}}, "task 't_a': 'queue': 'slow': .* one topic of commands; remove it"),
    "terminate": (
        {"t_a": TASK | {"cancelOn": {"on": ["stop"], "terminate": True}}},
        "task 't_a': 'cancelOn': 'terminate': .* does not end running tasks; remove it",
    ),
    "forward": ({"t_a": TASK, "$forward": [{"on": "go", "to": "'s'"}]}, r"'\$forward': .* forwards; remove it"),
}


@pytest.mark.parametrize("case", DELIVERED)
def test_what_the_drivers_deliver_is_accepted(case: str) -> None:
    text = encode_configuration({"$edition": 2, "t_a": TASK | DELIVERED[case]})

    validate_configuration(text)
    assert Plans().merge(NO_CONFIGURATION, text).rules is not None


@pytest.mark.parametrize("case", UNDELIVERED)
def test_what_no_driver_delivers_is_refused_with_its_key(case: str) -> None:
    tasks, message = UNDELIVERED[case]
    text = encode_configuration({"$edition": 2, **tasks})

    with pytest.raises(InvalidConfiguration, match=message):
        validate_configuration(text)
    with pytest.raises(InvalidConfiguration, match=message):
        Plans().merge(NO_CONFIGURATION, text)
    assert Plans(accept_every_plan).merge(NO_CONFIGURATION, text).rules is not None


def test_edition_1_keeps_such_keys_for_the_application() -> None:
    text = encode_configuration({"t_a": TASK | {"queue": "slow", "cancelOn": {"terminate": True}}})

    assert Plans().merge(NO_CONFIGURATION, text).tasks["t_a"].extra.keys() == {"queue", "cancelOn"}


@pytest.mark.parametrize("case", UNDELIVERED)
def test_an_embedded_storage_refuses_what_leaves_the_session(case: str) -> None:
    tasks, _ = UNDELIVERED[case]

    with pytest.raises(InvalidConfiguration, match=r"an embedded storage .*; use the stream"):
        Plans(check_embedded).merge(NO_CONFIGURATION, encode_configuration({"$edition": 2, **tasks}))
