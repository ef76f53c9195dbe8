"""`RateLimitedLog`: writes one line a minute while Kafka is unreachable, not one for each attempt to connect."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_INTERVAL_S: Final = 60.0


class RateLimitedLog:
    """Logs a warning at once, and those of the following minute as a number in the next one. Thread-safe."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._silent_until = 0.0
        self._omitted = 0

    def report(self, text: str) -> None:
        """Logs the text, or counts it if less than a minute has passed since the last line."""
        with self._lock:
            now = self._clock()
            if now < self._silent_until:
                self._omitted += 1
                return
            omitted, self._omitted, self._silent_until = self._omitted, 0, now + _INTERVAL_S
        self._log.warning("%s%s", text, f" ({omitted} similar messages were omitted)" if omitted else "")
