"""Merge mappings. A public name of the Triggers framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merge_dict", "merge_dict_recursive"]


def merge_dict(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """One dict of all; the later one wins."""
    merged: dict[str, Any] = {}
    for mapping in mappings:
        merged.update(mapping)
    return merged


def merge_dict_recursive(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """One dict of all: mappings merge at every depth, anything else is replaced by the later one."""
    merged: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            before = merged.get(key)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            merged[key] = merge_dict_recursive(before, value) if both else value  # type: ignore[arg-type]  # checked
    return merged
