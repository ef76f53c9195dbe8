"""The findings of the checks, and the limit that two of them share."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

MAX_CLOCK_DIFFERENCE_S: Final = 5.0
"""Difference that the clocks of machines with a time service never reach. HTTP dates are in whole seconds."""


class DoctorVerdict(StrEnum):
    """The judgement of a finding."""

    OK = "ok"
    WARNING = "warning"
    """It works now, but will not under load or after a failure."""
    PROBLEM = "problem"
    """It does not work."""
    UNKNOWN = "unknown"
    """It could not be checked."""


class Finding(Struct, frozen=True):
    """The outcome of a check."""

    check: str
    verdict: DoctorVerdict
    detail: str
    fix: str = ""
    """The remedy, or no text if nothing has to be done."""
