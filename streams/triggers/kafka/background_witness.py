"""`BackgroundWitness`: proves gaps for a reader that must not wait for the proof."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

from triggers.kafka.connection import Options
from triggers.kafka.continuity import Gap
from triggers.kafka.verdicts import Finding
from triggers.kafka.witness import Witness

_PROOF_S: Final = 5.0


class BackgroundWitness:
    """Proves gaps in a background thread, one proof at a time. Its methods do not block. Not thread-safe.

    Each proof starts a daemon thread, which ends with the proof.
    """

    def __init__(self, options: Options, topic: str) -> None:
        self._witness = Witness(options, topic)
        self._findings: SimpleQueue[list[Finding]] = SimpleQueue()
        self.is_busy = False
        """True while a proof is running, and until its findings are taken."""

    def begin(self, gaps: Sequence[Gap]) -> None:
        """Starts to prove the gaps. The witness must not be busy."""
        self.is_busy = True
        threading.Thread(target=self._prove, args=(gaps,), name="triggers-witness", daemon=True).start()

    def take(self) -> list[Finding]:
        """Returns the findings of the last proof once; the list is empty while the proof is running and after that."""
        try:
            findings = self._findings.get_nowait()
        except Empty:
            return []
        self.is_busy = False
        return findings

    def close(self) -> None:
        """Closes the connections, unless a proof is still using them; they then stay open until the process ends."""
        if not self.is_busy:
            self._witness.close()

    def _prove(self, gaps: Sequence[Gap]) -> None:
        self._findings.put(self._witness.prove(gaps, _PROOF_S))
