"""Classes by key: what an application names in its settings and in its packages' entry points.

The groups are those of the Triggers framework: packages that register a manager, a storage or a runner go on working.
A class is imported when its key is asked for: one whose library is not installed does not stand in the way of others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeVar

from triggers.errors import NotFound

C = TypeVar("C", bound=type)

ATTRIBUTE: Final = "triggers__registry_key"


class UnknownKey(NotFound, KeyError):
    """Nothing is registered under that key."""

    __str__ = Exception.__str__


class ClassRegistry:
    """Classes registered as entry points of a group, or with `register`."""

    attr_name = ATTRIBUTE
    """Attribute of a registered class that holds its key."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._registered: dict[str, type] = {}
        self._loaded: dict[str, type] = {}
        self._found: list[EntryPoint] | None = None

    def register(self, key: str) -> Callable[[C], C]:
        """Decorator: make the class known in this process. A worker must import the module too."""

        def add(registered: C) -> C:
            self._registered[key] = _branded(registered, key)
            return registered

        return add

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever the class makes
        """A new object of the class, made with the other arguments. Raises UnknownKey, ImportError."""
        return self.get_class(key)(*args, **kwargs)

    def get_class(self, key: str) -> type:
        """The class. Raises UnknownKey, or ImportError when the class needs a library that is not installed."""
        if key in self._registered:
            return self._registered[key]
        if key not in self._loaded:
            self._loaded[key] = _branded(self._entry_point(key).load(), key)
        return self._loaded[key]

    def key_of(self, registered: type) -> str:
        """The key of a class. Raises UnknownKey: a worker could not make another object of it."""
        for key, known in (self._loaded | self._registered).items():
            if known is registered:
                return key
        for entry in self._entry_points():
            if entry.value == f"{registered.__module__}:{registered.__qualname__}":
                self._loaded[entry.name] = _branded(registered, entry.name)
                return entry.name
        raise UnknownKey(
            f"{registered.__module__}.{registered.__qualname__} is not registered, so workers cannot make one: add it"
            f" to the entry points {self.group!r} of your package, or decorate it with register()"
        )

    def refresh(self) -> None:
        """Look for entry points again: a package was installed meanwhile."""
        self._found = None
        self._loaded.clear()

    def __contains__(self, key: object) -> bool:
        return key in self._keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  # as `get`
        return self.get(key)

    def _keys(self) -> list[str]:
        return sorted({*self._registered, *(entry.name for entry in self._entry_points())})

    def _entry_point(self, key: str) -> EntryPoint:
        for entry in self._entry_points():
            if entry.name == key:
                return entry
        raise UnknownKey(f"{self.group} has no {key!r}, it has {', '.join(self._keys()) or 'nothing'}")

    def _entry_points(self) -> list[EntryPoint]:
        if self._found is None:  # looked for once: it reads the metadata of every installed package
            self._found = list(entry_points(group=self.group))
        return self._found


def _branded(registered: C, key: str) -> C:
    setattr(registered, ATTRIBUTE, key)
    return registered


storage_backends: Final = ClassRegistry("triggers.storages")
"""Storages: `cache`, `memory`, `stream`, and the application's own."""

trigger_managers: Final = ClassRegistry("triggers.managers")
"""Managers: `default`, and the application's own."""

task_runners: Final = ClassRegistry("triggers.runners")
"""Runners: `celery`, `threading`, and the application's own."""

_DEFAULT_RUNNER: Final = "celery"


def default_runner_name() -> str:
    """Return the key of the runner for rules without `using`.

    An application that replaces `triggers.runners.DEFAULT_TASK_RUNNER` has imported that module; its choice wins.
    """
    runners = sys.modules.get("triggers.runners")
    return _DEFAULT_RUNNER if runners is None else str(runners.DEFAULT_TASK_RUNNER.name)
