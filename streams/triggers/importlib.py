"""Load an object by its dotted path. A public name of the Triggers framework."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

__all__ = ["dl"]


def dl(classpath: str) -> Any:  # noqa: ANN401  # whatever is there
    """The object of a module. Raises ValueError for a text without a dot, ImportError, AttributeError."""
    if "." not in classpath:
        raise ValueError(f"{classpath!r} is no path of a module and a name in it")
    return resolve_name(":".join(classpath.rsplit(".", 1)))
