"""`Circuit`: makes calls fail immediately while no broker is available, and finds out when one is again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from triggers.errors import BrokerUnavailable

_PAUSE_S = 1.0


class Circuit:
    """A circuit breaker, which is closed at first. `open` opens it; a thread then closes it when a broker answers.

    Thread-safe. A fork does not copy the thread, so the circuit of a child process is closed.
    """

    def __init__(self, ask: Callable[[], None], pause_s: float = _PAUSE_S) -> None:
        """`ask` raises BrokerUnavailable if no broker answers; it blocks for a limited time."""
        self._ask = ask
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._opened_at: float | None = None
        self._process = os.getpid()

    @property
    def is_open(self) -> bool:
        """True while no broker is known to be available."""
        return self._opened_at is not None and self._process == os.getpid()

    def check(self) -> None:
        """Raise BrokerUnavailable if the circuit is open; then nothing was sent."""
        opened_at = self._opened_at
        if opened_at is not None and self.is_open:
            silent_s = time.monotonic() - opened_at
            raise BrokerUnavailable(
                f"no Kafka broker has answered for {silent_s:.0f} s, so nothing was sent; try again"
            )

    def open(self) -> None:
        """Make calls fail until a broker answers. Idempotent."""
        with self._lock:
            if self.is_open:
                return
            self._opened_at, self._process = time.monotonic(), os.getpid()
        threading.Thread(target=self._wait_for_broker, daemon=True, name="triggers-circuit").start()

    def _wait_for_broker(self) -> None:
        while True:
            try:
                self._ask()
            except BrokerUnavailable:
                time.sleep(self._pause_s)
            else:
                self._opened_at = None
                return
