"""Fires a lot's events, as the application does. Each system has a program that says how it fires one.

It imports the standard library only, because it also runs in the environments of other systems.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fire = Callable[[str, dict[str, Any], int], None]
"""Fires an event of a session. The number is that of the session's events if this is its last one, otherwise 0."""


def fire_lot(fire: Fire, flush: Callable[[], None], lot: str, rate: str) -> None:
    """Fires the events of a file at a rate per second, or as fast as `fire` returns if it is 0.

    Prints when it began and how much CPU time it used, both without the start of the interpreter. Each page gets the
    time at which it was fired.
    """
    events = [json.loads(line) for line in Path(lot).read_text().splitlines()]
    pause = 1 / float(rate) if float(rate) else 0.0
    started_at, cpu_s, begun = time.time(), time.process_time(), time.monotonic()
    for number, (session, event, last) in enumerate(events):
        if (ahead := begun + number * pause - time.monotonic()) > 0:
            time.sleep(ahead)
        if event["trigger"] == "pageReceived":
            event["kwargs"]["at"] = time.time()
        fire(session, event, last)
    flush()
    figures = {"started_at": started_at, "seconds": time.time() - started_at, "cpu_s": time.process_time() - cpu_s}
    sys.stdout.write(json.dumps(figures))
