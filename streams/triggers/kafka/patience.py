"""How long a worker waits for Kafka, in one place: each step, and what all of them may take together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_OFFSETS_S: Final = 8.0
"""Adding the offsets takes some milliseconds; a call that hangs never ends."""
_COMMIT_TIMEOUTS: Final = 4
"""A commit that was asked for cannot be aborted any more: either its outcome becomes known, or the process ends and its
successor finds out."""
_PROOF_S: Final = 10.0
_REFUSED_PAUSE_S: Final = 0.2
_OVERRUN_S: Final = 3.0
"""A step that is repeated until its time is up makes one more call of a second, after a pause."""
_OTHER_WORK_S: Final = 15.0
"""What happens on the Kafka thread beside the calls: RocksDB writes a batch, a producer is taken down."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What each step may take, derived from the transaction's timeout; after that a broker is taken for lost.

    Whatever `Transactions` and `Member` wait for is named here, so that the watchdog of the Kafka thread cannot end a
    worker that waits as it should: it is the sum of the steps, and more.
    """

    transaction_s: float

    @property
    def start_s(self) -> float:
        """Fencing the producer's predecessor."""
        return self.transaction_s

    @property
    def offsets_s(self) -> float:
        """Adding the consumed offsets to a transaction."""
        return _OFFSETS_S

    @property
    def commit_s(self) -> float:
        """Committing a transaction, its records included."""
        return _COMMIT_TIMEOUTS * self.transaction_s

    @property
    def abort_s(self) -> float:
        """Aborting a transaction."""
        return self.transaction_s

    @property
    def group_offsets_s(self) -> float:
        """Asking for offsets of the group, or of the topic."""
        return 2 * self.transaction_s

    @property
    def proof_s(self) -> float:
        """Having a gap in the events looked into; it takes milliseconds while the brokers answer."""
        return _PROOF_S

    @property
    def refused_pause_s(self) -> float:
        """Before events that were missing twice are fetched again; doubled each time."""
        return _REFUSED_PAUSE_S

    @property
    def longest_commit_s(self) -> float:
        """The slowest way through `Transactions.commit`.

        A producer is renewed, its queue is full until the messages in it time out, the offsets are added, the commit is
        waited for until nothing is left but to abort it, and another producer is started.
        """
        queue_s = self.transaction_s
        steps = (self.start_s, queue_s, self.offsets_s, self.commit_s, self.abort_s, self.start_s)
        return sum(step + _OVERRUN_S for step in steps)

    @property
    def watchdog_s(self) -> float:
        """After so long a call on the Kafka thread hangs."""
        return self.longest_commit_s + self.group_offsets_s + _OTHER_WORK_S
