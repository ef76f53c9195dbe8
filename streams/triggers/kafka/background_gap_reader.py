"""`BackgroundGapReader`: proves gaps for a reader that must not wait for the proof."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from triggers.kafka.connection import Options
from triggers.kafka.expected_offsets import Gap
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.pending_gaps import ExaminedGap

_PROOF_S: Final = 5.0


class BackgroundGapReader:
    """Proves gaps in a background thread, one proof at a time. Its methods do not block. Not thread-safe.

    Each proof starts a daemon thread, which ends with the proof.
    """

    def __init__(self, connection: Callable[[], Options], topic: str) -> None:
        self._gap_reader = GapReader(connection, topic)
        self._examined: SimpleQueue[list[ExaminedGap]] = SimpleQueue()
        self.is_busy = False
        """True while a proof is running, and until its examined gaps are taken."""

    def begin(self, gaps: Sequence[Gap]) -> None:
        """Starts to prove the gaps. The second reader must not be busy."""
        self.is_busy = True
        threading.Thread(target=self._prove, args=(gaps,), name="triggers-gap-reader", daemon=True).start()

    def take(self) -> list[ExaminedGap]:
        """Returns the gaps of the last proof once; the list is empty while a proof is running and after that."""
        try:
            examined = self._examined.get_nowait()
        except Empty:
            return []
        self.is_busy = False
        return examined

    def close(self) -> None:
        """Closes the connections, unless a proof is still using them; they then stay open until the process ends."""
        if not self.is_busy:
            self._gap_reader.close()

    def _prove(self, gaps: Sequence[Gap]) -> None:
        self._examined.put(self._gap_reader.prove(gaps, _PROOF_S))
