"""The metrics of `triggers hooks`."""

from __future__ import annotations

from triggers.telemetry import service_families as families
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry


class HookMetrics:
    """Counts and times the calls of hooks."""

    def __init__(self) -> None:
        self.registry = new_registry(MeasuredProcess.HOOKS)
        self.decisions = families.HOOK_DECISIONS.create(self.registry)
        self.seconds = families.HOOK_SECONDS.create(self.registry)
