"""Rules checked without running them."""

from __future__ import annotations

from collections.abc import Collection

from triggers.analysis.check.findings import Finding
from triggers.analysis.check.liveness import Supply
from triggers.analysis.check.name_lints import NameLints
from triggers.analysis.check.task_lints import TaskLints
from triggers.analysis.check.validity import Reading


def check_rules(text: bytes, declared: Collection[str] | None = None) -> list[Finding]:
    """Findings in the order of the file. `declared`: all triggers that the application fires, if that is known.

    What the engine refuses is an error finding, so that without one `update_configuration` accepts the rules. A task
    that is refused is not looked at further; the others are.
    """
    reading = Reading(text)
    supply = Supply(reading.tasks, declared, [name for name in reading.names if name not in reading.tasks])
    found = [*reading.findings, *NameLints(reading.names, reading.tasks, reading.places).find(declared)]
    found += TaskLints(reading.tasks, reading.places, supply).find()
    return sorted(found, key=lambda one: (one.place, one.rule, one.message))
