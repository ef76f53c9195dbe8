"""Names of instances, which consist of the task and the number among its instances."""

from __future__ import annotations

from triggers.errors import InstanceNotFound


def instance_name(task: str, number: int) -> str:
    """Returns `<task>#<n>`."""
    return f"{task}#{number}"


def parse_instance_name(name: str) -> tuple[str, int]:
    """Returns the task and the number. Raises InstanceNotFound if the text is not the name of an instance."""
    task, mark, digits = name.rpartition("#")
    if not mark or not digits.isdecimal() or str(int(digits[:19])) != digits:
        raise InstanceNotFound(f"{name!r:.200} is not an instance name; write <task>#<number>, such as t_import#0")
    return task, int(digits)
