"""`Patience`: how long a worker waits for Kafka, for each step and in total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_OFFSETS_S: Final = 8.0
"""Adding the offsets takes some milliseconds, unless the call hangs forever."""
_COMMIT_TIMEOUTS: Final = 4
"""Number of transaction timeouts to wait for a commit. A requested commit cannot be aborted: either its outcome becomes
known, or the process ends and its successor finds out."""
_PROOF_S: Final = 10.0
_REFETCH_PAUSE_S: Final = 0.2
_OVERRUN_S: Final = 3.0
"""A step that is repeated until its time is up can make one more call of a second, after a pause."""
_OTHER_WORK_S: Final = 15.0
"""Allowance for the Kafka thread's other work, such as writing a batch to RocksDB and destroying a producer."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of all steps in seconds, derived from the transaction timeout. After them, a broker counts as lost.

    All limits of `Transactions` and `Member` are defined here. The watchdog's limit is larger than their sum, so the
    watchdog does not end a worker whose waits are within their limits.
    """

    transaction_s: float
    """The transaction timeout."""

    @property
    def start_s(self) -> float:
        """Limit for starting a producer, which fences its predecessor."""
        return self.transaction_s

    @property
    def offsets_s(self) -> float:
        """Limit for adding the consumed offsets to a transaction."""
        return _OFFSETS_S

    @property
    def commit_s(self) -> float:
        """Limit for committing a transaction, which includes delivering its records."""
        return _COMMIT_TIMEOUTS * self.transaction_s

    @property
    def abort_s(self) -> float:
        """Limit for aborting a transaction."""
        return self.transaction_s

    @property
    def group_offsets_s(self) -> float:
        """Limit for a request for offsets of the group or of the topic."""
        return 2 * self.transaction_s

    @property
    def proof_s(self) -> float:
        """Limit for proving a gap in the events. It takes milliseconds if the brokers answer."""
        return _PROOF_S

    @property
    def refetch_pause_s(self) -> float:
        """Pause before events that were missing twice are fetched again. It doubles each time."""
        return _REFETCH_PAUSE_S

    @property
    def longest_commit_s(self) -> float:
        """The duration of `Transactions.commit` in the worst case.

        In this case a producer is started, its queue is full until the messages in it time out, the offsets are added,
        the commit fails after its limit and is aborted, and another producer is started.
        """
        queue_s = self.transaction_s
        steps = (self.start_s, queue_s, self.offsets_s, self.commit_s, self.abort_s, self.start_s)
        return sum(step + _OVERRUN_S for step in steps)

    @property
    def watchdog_s(self) -> float:
        """A call on the Kafka thread that takes longer than this counts as hanging."""
        return self.longest_commit_s + self.group_offsets_s + _OTHER_WORK_S
