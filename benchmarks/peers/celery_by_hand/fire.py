"""Fires events in the application's process: `fire LOT RATE`."""

from __future__ import annotations

import sys

from benchmarks.peers.celery_by_hand.application import fire
from benchmarks.peers.firing import fire_lot


def main(lot: str, rate: str) -> None:
    """Fires the events. There is nothing to flush, because every call waits for Redis."""
    fire_lot(fire, lambda: None, lot, rate)


if __name__ == "__main__":
    main(*sys.argv[1:])
