"""Names of instances, which consist of the task and the number among its instances."""

from __future__ import annotations

from typing import Final

from triggers.core.memo import remember_bounded
from triggers.errors import InstanceNotFound

KNOWN_TASKS: Final = 64
"""Maximum number of tasks whose names and keys of instances are remembered."""
KNOWN_NUMBERS: Final = 1024
"""Number of instances of a task, from `#0` on, whose names and keys are remembered, because they recur in sessions."""

_names: Final[dict[str, list[str]]] = {}


def instance_name(task: str, number: int) -> str:
    """Returns `<task>#<n>`."""
    names = _names.get(task)
    return names[number] if names is not None and 0 <= number < len(names) else _remember_name(task, number)


def _remember_name(task: str, number: int) -> str:
    if not 0 <= number < KNOWN_NUMBERS:
        return f"{task}#{number}"
    names = _names.get(task)
    if names is None:
        names = remember_bounded(_names, KNOWN_TASKS, task, [])
    while len(names) <= number:
        names.append(f"{task}#{len(names)}")
    return names[number]


def parse_instance_name(name: str) -> tuple[str, int]:
    """Returns the task and the number. Raises InstanceNotFound if the text is not the name of an instance."""
    task, mark, digits = name.rpartition("#")
    if not mark or not digits.isdecimal() or str(int(digits[:19])) != digits:
        raise InstanceNotFound(f"{name!r:.200} is not an instance name; write <task>#<number>, such as t_import#0")
    return task, int(digits)
