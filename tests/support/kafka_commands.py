"""Every command that needs Kafka, with arguments that are right, for tests of what is wrong with Kafka."""

from __future__ import annotations

from typing import Final

RULES: Final = '{"t_a": {"after": ["a"], "run": "app.a"}}'
ON_TOPICS: Final = {
    "fire": ["fire", "s", "a"],
    "fire --from": ["fire", "--from", "-"],
    "configure": ["configure", "s", RULES],
    "show": ["show", "s"],
    "show --at": ["show", "s", "--at", "1"],
    "list": ["list"],
    "top": ["top", "--times", "1"],
    "replay": ["replay", "s", "t_a#0"],
    "skip": ["skip", "s", "t_a#0"],
    "cancel": ["cancel", "s", "t_a#0"],
    "replay --where": ["replay", "--where", "--failed", "--yes"],
    "jobs list": ["jobs", "list"],
    "jobs show": ["jobs", "show", "j"],
    "jobs resume": ["jobs", "resume", "j"],
    "status": ["status"],
    "delete": ["delete", "s", "--yes"],
    "dead-letters list": ["dead-letters", "list"],
    "dead-letters show": ["dead-letters", "show", "0/0"],
    "dead-letters redrive": ["dead-letters", "redrive", "--all"],
    "explain": ["explain", "s"],
    "stats": ["stats"],
    "export": ["export"],
    "export SESSION": ["export", "s"],
    "graph": ["graph", "--session", "s"],
    "backtest": ["backtest", RULES],
    "capture": ["capture", "s"],
    "topics lag": ["topics", "lag"],
    "rules publish": ["rules", "publish", "order", RULES],
    "rules list": ["rules", "list"],
    "rules show": ["rules", "show", "order"],
    "rules history": ["rules", "history", "order"],
    "rules diff": ["rules", "diff", "order"],
    "rules retire": ["rules", "retire", "order"],
    "rebuild": ["rebuild"],
    "reserve-offsets": ["reserve-offsets"],
}
"""Name -> arguments of the commands that need the topics."""
ON_BROKER: Final = ON_TOPICS | {
    "topics create": ["topics", "create"],
    "topics check": ["topics", "check"],
    "copy": ["copy", "earlier", "--yes"],
}
"""Name -> arguments of the commands that need a broker."""
SERVICES: Final = {"api", "worker", "dispatcher", "hooks", "dev", "demo", "console"}
"""Commands that wait for a broker, or start one."""
WITHOUT_KAFKA: Final = {"check", "verify", "completion", "init"}
ELSEWHERE: Final = {"doctor", "migrate"}
"""Commands that check, or read another storage, first. They have tests of their own."""
