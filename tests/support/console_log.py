"""A small log for the console: a session with finished tasks, a stuck session and a session with a hostile name."""

from __future__ import annotations

import json
from typing import Any

from triggers.codec.event_lines import decode_line
from triggers.core.events import Event

RULES = {
    "t_import": {"after": ["page", "complete"], "run": "app.Import"},
    "t_report": {"after": ["t_import", "approved"], "unless": ["cancelled"], "run": "app.Report"},
}
HOSTILE = "a/b?c=<script>alert(1)</script>&#x27;ü 100%"
MADE_MS = 1_790_000_000_000


def log_lines() -> list[str]:
    """Returns the log as JSON lines, which `triggers fire --from` reads."""
    done: list[dict[str, Any]] = [
        {"type": "configure", "configuration": RULES},
        {"trigger": "page", "kwargs": {"n": 1}, "id": "p1"},
        {"trigger": "page", "kwargs": {"n": 2}, "id": "p2"},
        {"trigger": "complete", "kwargs": {}},
        {"type": "running", "instance": "t_import#0", "attempt": 1},
        {"type": "finished", "instance": "t_import#0", "attempt": 1, "result": {"rows": 3}},
        {"trigger": "approved", "kwargs": {"by": "<b>me</b>"}},
    ]
    stuck: list[dict[str, Any]] = [{"type": "configure", "configuration": RULES}, {"trigger": "page"}]
    sessions: dict[str, list[dict[str, Any]]] = {
        "s-done": done,
        "s-stuck": stuck,
        HOSTILE: [*stuck, {"trigger": "unknown", "kwargs": {"x": HOSTILE}}],
    }
    events = [(uid, event) for uid, log in sessions.items() for event in log]
    return [
        json.dumps({"session": uid, "offset": offset, "time": MADE_MS + 1000 * offset} | event)
        for offset, (uid, event) in enumerate(events, 10)
    ]


def log_events() -> list[tuple[str, Event]]:
    """Returns the log as decoded events."""
    return [decode_line(line.encode(), 0) for line in log_lines()]
