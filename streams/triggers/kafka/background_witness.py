"""Proofs beside a reader that must not wait for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

from triggers.kafka.continuity import Gap
from triggers.kafka.witness import Finding, Options, Witness

_PROOF_S: Final = 5.0


class BackgroundWitness:
    """Has gaps proved in a thread of its own, one proof at a time. Its methods return at once; one thread calls them.

    The thread is a daemon and lives as long as one proof: nobody has to end it.
    """

    def __init__(self, options: Options, topic: str) -> None:
        """See `Witness`."""
        self._witness = Witness(options, topic)
        self._findings: SimpleQueue[list[Finding]] = SimpleQueue()
        self.is_busy = False
        """Whether a proof is under way, or its findings have not been taken yet."""

    def begin(self, gaps: Sequence[Gap]) -> None:
        """Have these gaps proved. The witness must not be busy."""
        self.is_busy = True
        threading.Thread(target=self._prove, args=(gaps,), name="triggers-witness", daemon=True).start()

    def take(self) -> list[Finding]:
        """The findings of the last proof, once; none while it is under way."""
        try:
            found = self._findings.get_nowait()
        except Empty:
            return []
        self.is_busy = False
        return found

    def close(self) -> None:
        """Give up the connections, unless a proof is using them: the process ends then, or nobody minds."""
        if not self.is_busy:
            self._witness.close()

    def _prove(self, gaps: Sequence[Gap]) -> None:
        self._findings.put(self._witness.prove(gaps, _PROOF_S))
