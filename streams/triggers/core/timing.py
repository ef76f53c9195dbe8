"""Computes when a delay is over, when a deadline is due, and when a failed attempt is tried again."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

from triggers.core.edition_2_rule import Delay, Retry

_TWO_TO_THE_64: Final = 2.0**64


def delay_due(delay: Delay, clock: int, delayed_at: int) -> int:
    """Returns the end of a delay that starts, or starts again, at `clock`."""
    due = clock + delay.wait
    return min(due, delayed_at + delay.at_most) if delay.at_most else due


def retry_wait(retry: Retry, session: str, instance: str, attempt: int) -> int:
    """Returns the milliseconds between the failure of an attempt and the next one."""
    try:
        wait = min(float(retry.max_wait), retry.wait * retry.backoff ** (attempt - 1))
    except OverflowError:
        wait = float(retry.max_wait)
    digest = blake2b(f"{session}/{instance}/{attempt}".encode(), digest_size=8).digest()
    chance = int.from_bytes(digest, "big") / _TWO_TO_THE_64
    return math.floor(wait * (1 + retry.jitter * (2 * chance - 1)))


def is_retried(retry: Retry, exception_type: str) -> bool:
    """Returns whether `on` and `except` let a failure of that type, `module.Class`, be tried again."""
    names = {exception_type, exception_type.rpartition(".")[2]}
    if names.intersection(retry.except_):
        return False
    return retry.on is None or bool(names.intersection(retry.on))
