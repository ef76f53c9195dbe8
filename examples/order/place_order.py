"""Places an order: python place_order.py order-1. It needs the package without extras."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from triggers import StreamStorage, TriggerManager

RULES = json.loads(Path(__file__).with_name("rules.json").read_text())


def place_order(uid: str, total: int) -> None:
    """Gives the session its rules and fires the triggers of an order. Another service may fire them as well."""
    manager = TriggerManager(StreamStorage(uid))
    manager.update_configuration(RULES)
    manager.fire("cardEntered", {"last4": "4242"})
    manager.fire("orderPlaced", {"total": total})


if __name__ == "__main__":
    place_order(sys.argv[1], 12)
    print(f"fired; look at it with: triggers show {sys.argv[1]}")
