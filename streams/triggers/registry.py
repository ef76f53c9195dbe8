"""Registries of managers, storages and task runners, which applications name by key.

The entry point groups are those of the Triggers framework, so packages that register a class there continue to work.
A class is imported when it is first requested, so a missing optional library affects only the class that needs it.
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
    """Finds classes by key: those that packages declare as entry points of a group, and those of `register`."""

    attr_name = ATTRIBUTE
    """Name of the attribute in which a registered class stores its key."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._registered: dict[str, type] = {}
        self._loaded: dict[str, type] = {}
        self._entry_point_list: list[EntryPoint] | None = None

    def register(self, key: str) -> Callable[[C], C]:
        """Returns a decorator that registers a class in this process. A worker must import its module, too.

        Registering another class under the same key replaces the first one.
        """

        def add(registered: C) -> C:
            self._registered[key] = _set_key(registered, key)
            return registered

        return add

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        """Creates an object of the class with the other arguments. Raises like `get_class`."""
        return self.get_class(key)(*args, **kwargs)

    def get_class(self, key: str) -> type:
        """Returns the class. Raises UnknownKey, and ImportError if the class needs a library that is not installed."""
        if key in self._registered:
            return self._registered[key]
        if key not in self._loaded:
            self._loaded[key] = _set_key(self._entry_point(key).load(), key)
        return self._loaded[key]

    def key_of(self, registered: type) -> str:
        """Returns the key of a class. Raises UnknownKey if it has none, because no worker could create it then."""
        for key, known in (self._loaded | self._registered).items():
            if known is registered:
                return key
        for entry in self._entry_points():
            if entry.value == f"{registered.__module__}:{registered.__qualname__}":
                self._loaded[entry.name] = _set_key(registered, entry.name)
                return entry.name
        raise UnknownKey(
            f"{registered.__module__}.{registered.__qualname__} is not registered, so workers cannot create it: add it"
            f" to the entry points {self.group!r} of your package, or decorate it with register()"
        )

    def refresh(self) -> None:
        """Reads the entry points again at the next request, so that newly installed packages are found."""
        self._entry_point_list = None
        self._loaded.clear()

    def __contains__(self, key: object) -> bool:
        return key in self._keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def _keys(self) -> list[str]:
        return sorted({*self._registered, *(entry.name for entry in self._entry_points())})

    def _entry_point(self, key: str) -> EntryPoint:
        for entry in self._entry_points():
            if entry.name == key:
                return entry
        raise UnknownKey(f"{self.group} has no {key!r}; it has {', '.join(self._keys()) or 'nothing'}")

    def _entry_points(self) -> list[EntryPoint]:
        if self._entry_point_list is None:  # cached, because this reads the metadata of every installed package
            self._entry_point_list = list(entry_points(group=self.group))
        return self._entry_point_list


def _set_key(registered: C, key: str) -> C:
    setattr(registered, ATTRIBUTE, key)
    return registered


storage_backends: Final = ClassRegistry("triggers.storages")
"""Storages: `cache`, `memory`, `stream`, and those of applications."""

trigger_managers: Final = ClassRegistry("triggers.managers")
"""Managers: `default`, and those of applications."""

task_runners: Final = ClassRegistry("triggers.runners")
"""Task runners of embedded storages: `celery`, `threading`, and those of applications."""

_DEFAULT_RUNNER: Final = "celery"


def default_runner_name() -> str:
    """Returns the key of the runner for rules without `using`.

    An application may replace `triggers.runners.DEFAULT_TASK_RUNNER`. To do so it has imported that module, so this
    function does not import it, nor Celery.
    """
    runners = sys.modules.get("triggers.runners")
    return _DEFAULT_RUNNER if runners is None else str(runners.DEFAULT_TASK_RUNNER.name)
