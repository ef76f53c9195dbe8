"""What a check has found."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """What a finding means."""

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
    verdict: Verdict
    detail: str
    fix: str = ""
    """What to do. Empty if nothing is to be done."""
