"""Load an object by its dotted path. A public module of the Triggers framework."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

__all__ = ["dl"]


def dl(classpath: str) -> Any:
    """Imports a module and returns the object of that name in it.

    Raises ValueError for a path without a dot, and ImportError or AttributeError if there is no such object.
    """
    if "." not in classpath:
        raise ValueError(f"{classpath!r} is not a dotted path: write <module>.<name>")
    return resolve_name(":".join(classpath.rsplit(".", 1)))
