"""What the consumer asks of the turns: to decide a batch."""

from __future__ import annotations

from typing import Protocol

from triggers.store.batch import Batch


class Processor(Protocol):
    """Turns the records of a batch into rows and outputs. It is called on the event loop, one batch at a time."""

    def process(self, batch: Batch) -> None:
        """Fills the batch. Blocks while it decides.

        Raises TryAgain if the batch must be decided later. Any other exception ends the process; nothing is skipped.
        """

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Drops the state of revoked partitions, or of all partitions if None (the transaction was aborted)."""

    def export_spans(self, batch: Batch) -> None:
        """Exports the spans of a batch that is committed. Does not block."""


def process_batch(batch: Batch, processor: Processor) -> None:
    """Lets the processor fill the batch, and completes `done`, if need be with the exception that was raised.

    Called by the Faust agent.
    """
    try:
        processor.process(batch)
    except Exception as error:  # noqa: BLE001  # the pump ends the process or fetches again
        batch.done.set_exception(error)
    else:
        batch.done.set_result(None)
