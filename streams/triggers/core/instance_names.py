"""Names of instances: their task, and their number among its instances."""

from __future__ import annotations

from triggers.errors import InstanceNotFound


def instance_name(task: str, number: int) -> str:
    """`<task>#<n>`."""
    return f"{task}#{number}"


def parse_instance_name(name: str) -> tuple[str, int]:
    """Task and number. Raises InstanceNotFound for a text that names no instance."""
    task, mark, digits = name.rpartition("#")
    if not mark or not digits.isdecimal() or str(int(digits[:19])) != digits:
        raise InstanceNotFound(f"{name!r:.200} is no instance; instances are named <task>#<number>")
    return task, int(digits)
