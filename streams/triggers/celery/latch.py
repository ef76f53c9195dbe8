"""`Latch`: calls a function when several threads have done their parts."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Latch:
    """Calls `action` in the thread that does the last of its parts. Thread-safe."""

    def __init__(self, parts: int, action: Callable[[], None]) -> None:
        self._remaining = parts
        self._action = action
        self._lock = threading.Lock()

    def count_down(self) -> None:
        """Called when a part is done."""
        with self._lock:
            self._remaining -= 1
            is_open = self._remaining == 0
        if is_open:
            self._action()
