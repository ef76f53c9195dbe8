"""Attach data to an exception. A public module of the Triggers framework."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, TypeVar

E = TypeVar("E", bound=BaseException)

__all__ = ["with_context"]


def with_context(exc: E, context: Mapping[str, Any]) -> E:
    """Merges a mapping into the exception's `context` and returns the exception. Logs and results show the context.

    An existing `context` that is not a mutable mapping is moved to the key `_original_context`.
    """
    before = getattr(exc, "context", {})
    merged = before if isinstance(before, MutableMapping) else {"_original_context": before}
    merged.update(context)
    exc.context = merged  # type: ignore[attr-defined]  # exceptions have no such attribute
    return exc
