"""Looks at methods that applications may override."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def is_overridden(method: Callable[..., object], default: Callable[..., object]) -> bool:
    """Returns whether a bound method is not the default one."""
    return getattr(method, "__func__", method) is not default


def accepts_keyword(method: Callable[..., object], name: str) -> bool:
    """Returns whether a method has a parameter of that name, or takes any keyword arguments."""
    parameters = inspect.signature(method).parameters.values()
    return any(each.name == name or each.kind is each.VAR_KEYWORD for each in parameters)
