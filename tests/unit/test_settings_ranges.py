"""Settings whose values must be in a range."""

from __future__ import annotations

import pytest

from triggers.errors import SettingsError
from triggers.settings import Settings

NAMES = ["transaction_interval_s", "transaction_linger_s"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["0", "0.02", "1"])
def test_the_waits_before_a_transaction_are_up_to_a_second(name: str, value: str) -> None:
    assert getattr(Settings.from_env({f"TRIGGERS_{name.upper()}": value}), name) == float(value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["-0.001", "1.001", "10", "nan"])
def test_other_waits_are_refused_with_the_variable_and_the_range(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"TRIGGERS_{name.upper()} is {value}, but it must be from 0 to 1"):
        Settings.from_env({f"TRIGGERS_{name.upper()}": value})
