"""Places an order: python place_order.py order-1. It needs the package without extras, and it knows no rules."""

from __future__ import annotations

import sys

from triggers import StreamStorage, TriggerManager


def place_order(uid: str, total: int) -> None:
    """Fires the triggers of an order. Another service may fire them as well, in any order."""
    manager = TriggerManager(StreamStorage(uid))
    manager.fire("cardEntered", {"last4": "4242"})
    manager.fire("orderPlaced", {"total": total})


if __name__ == "__main__":
    place_order(sys.argv[1], 12)
    print(f"fired; look at it with: triggers show {sys.argv[1]}")
