"""Applies filters of the optional Filters library to trigger kwargs, for `TaskContext.filter_kwargs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triggers.exceptions import with_context

try:
    import filters as f
except ModuleNotFoundError as error:
    raise ImportError("filter_kwargs needs the Filters library: pip install 'kafka-triggers[filters]'") from error


def filter_kwargs(kwargs: Mapping[str, Any], filters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    of_triggers = {trigger: f.Optional(default={}) | f.FilterMapper(dict(keys)) for trigger, keys in filters.items()}
    runner = f.FilterRunner(
        f.FilterMapper(of_triggers, allow_missing_keys=True, allow_extra_keys=True), dict(kwargs or {})
    )
    if not runner.is_valid():
        error = ValueError(f"Invalid trigger kwargs: {runner.errors}")
        raise with_context(error, {"filter_errors": runner.get_errors(with_context=True)})
    cleaned: dict[str, Any] = runner.cleaned_data
    return cleaned
