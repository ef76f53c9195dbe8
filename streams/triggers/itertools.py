"""Merge mappings. A public module of the Triggers framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merge_dict", "merge_dict_recursive"]


def merge_dict(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a new dict with the items of all mappings. For equal keys, the last mapping wins."""
    merged: dict[str, Any] = {}
    for mapping in mappings:
        merged.update(mapping)
    return merged


def merge_dict_recursive(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a new dict with the items of all mappings. Nested mappings are merged; otherwise, the last value wins."""
    merged: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            before = merged.get(key)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                merged[key] = merge_dict_recursive(before, value)
            else:
                merged[key] = value
    return merged
