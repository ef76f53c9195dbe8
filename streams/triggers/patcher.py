"""Changes attributes of an object temporarily. A public module of the Triggers framework."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

__all__ = ["AttrPatcher"]


class AttrPatcher(AbstractContextManager[None]):
    """Sets attributes of an object for a `with` block, or between `apply` and `restore`."""

    class DoesNotExist:
        """Stands for a missing attribute: as a value, it deletes the attribute."""

    def __init__(self, target: object, /, **attributes: Any) -> None:
        self._target = target
        self._new = attributes
        self._old: dict[str, Any] = {}

    def __enter__(self) -> None:
        self.apply()

    def __exit__(self, *_: object) -> None:
        self.restore()

    def apply(self) -> None:
        """Sets the new values and remembers the old ones."""
        self._old = {name: getattr(self._target, name, self.DoesNotExist) for name in self._new}
        self._set(self._new)

    def restore(self) -> None:
        """Restores the old values, and deletes attributes that did not exist."""
        self._set(self._old)

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if value is self.DoesNotExist:
                delattr(self._target, name)
            else:
                setattr(self._target, name, value)
