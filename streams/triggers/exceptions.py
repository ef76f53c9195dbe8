"""Attach data to an exception. A public name of the Triggers framework."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, TypeVar

E = TypeVar("E", bound=BaseException)

__all__ = ["with_context"]


def with_context(exc: E, context: Mapping[str, Any]) -> E:
    """The exception with the mapping merged into its `context`, which logs and results show.

    A context that is no mapping is kept under `_original_context`.
    """
    before = getattr(exc, "context", {})
    kept = before if isinstance(before, MutableMapping) else {"_original_context": before}
    kept.update(context)
    exc.context = kept  # type: ignore[attr-defined]  # that is what this function is for
    return exc
