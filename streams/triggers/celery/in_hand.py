"""A command in the hands of this process."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.celery.command_source import Delivery
from triggers.core.commands import RunTask


@dataclass(frozen=True, slots=True, eq=False)
class CommandInHand:
    """A command to run, and the record it came in."""

    delivery: Delivery
    command: RunTask
