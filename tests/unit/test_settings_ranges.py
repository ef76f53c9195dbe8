"""Settings whose values must be in a range."""

from __future__ import annotations

import re

import pytest

from triggers.errors import SettingsError
from triggers.settings import PREFIX, Settings

WAITS = ["transaction_interval_s", "transaction_linger_s"]
PORTS = ["api_port", "metrics_port", "web_port"]
FROM_0 = {*WAITS, *PORTS, "api_rate"}
NUMBERS = [name for name, value in Settings().__rich_repr__() if type(value) in (int, float)]


def refusal_of(name: str, value: str) -> str:
    """Returns the message with which the environment's value is refused."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({PREFIX + name.upper(): value})
    return str(caught.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_makes_no_sense_is_refused_with_the_variable_the_value_and_the_bound(name: str) -> None:
    bound = r"at least 0" if name in FROM_0 else r"(at least 1|more than 0)"

    assert re.fullmatch(f"TRIGGERS_{name.upper()} is '-1', but it must be {bound}", refusal_of(name, "-1"))
    if name not in FROM_0:
        assert refusal_of(name, "0").startswith(f"TRIGGERS_{name.upper()} is '0', but it must be ")


@pytest.mark.parametrize("name", sorted(FROM_0))
def test_zero_is_accepted_where_it_has_a_meaning(name: str) -> None:
    assert getattr(Settings.from_env({PREFIX + name.upper(): "0"}), name) == 0


@pytest.mark.parametrize("name", PORTS)
def test_there_is_no_port_beyond_65535(name: str) -> None:
    assert getattr(Settings.from_env({PREFIX + name.upper(): "65535"}), name) == 65535
    assert refusal_of(name, "65536") == f"TRIGGERS_{name.upper()} is '65536', but it must be at most 65535"


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("value", ["0.02", "1"])
def test_the_waits_before_a_transaction_are_up_to_a_second(name: str, value: str) -> None:
    assert getattr(Settings.from_env({PREFIX + name.upper(): value}), name) == float(value)


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize(("value", "bound"), [("1.001", "at most 1"), ("10", "at most 1"), ("nan", "at least 0")])
def test_other_waits_are_refused_with_the_bound(name: str, value: str, bound: str) -> None:
    assert refusal_of(name, value) == f"TRIGGERS_{name.upper()} is {value!r}, but it must be {bound}"


def test_an_option_is_refused_as_the_variable_is() -> None:
    with pytest.raises(SettingsError, match="TRIGGERS_PARTITIONS is '0', but it must be at least 1"):
        Settings.from_env({}, partitions="0")
