"""Celery's `autoretry_for` for tasks whose retries the engine carries out."""

from __future__ import annotations

from typing import Any

from celery.utils.time import get_exponential_backoff_interval


def autoretry_cooldown(task: Any, error: Exception) -> float | None:
    """Returns the seconds after which the task's options retry it for this error, or None if they do not.

    The options and their defaults are Celery's: `autoretry_for`, `dont_autoretry_for`, `retry_kwargs`, `retry_backoff`,
    `retry_backoff_max`, `retry_jitter`, `default_retry_delay` and `max_retries`.
    """
    retried = tuple(getattr(task, "autoretry_for", ()))
    spared = tuple(getattr(task, "dont_autoretry_for", ()))
    options = getattr(task, "retry_kwargs", {})
    limit, retries = options.get("max_retries", task.max_retries), task.request.retries
    if not isinstance(error, retried) or isinstance(error, spared) or (limit is not None and retries >= limit):
        return None
    if factor := float(getattr(task, "retry_backoff", False)):
        seconds: float = get_exponential_backoff_interval(
            factor=int(max(1.0, factor)),
            retries=retries,
            maximum=int(getattr(task, "retry_backoff_max", 600)),
            full_jitter=getattr(task, "retry_jitter", True),
        )
        return seconds
    return float(options.get("countdown", task.default_retry_delay))
