"""Starts a workflow with a session's first event, and sends it the events: `fire URL LOT RATE`."""

from __future__ import annotations

import sys
from typing import Any

from dbos import DBOSClient

from benchmarks.peers.firing import fire_lot

_QUEUE = "questionnaires"


def main(url: str, lot: str, rate: str) -> None:
    """Sends the events. Every call waits for PostgreSQL."""
    client = DBOSClient(system_database_url=url)
    known: set[str] = set()

    def fire(session: str, event: dict[str, Any], last: int) -> None:
        if session not in known:
            known.add(session)
            options = {"queue_name": _QUEUE, "workflow_name": "answer_questionnaire", "workflow_id": session}
            client.enqueue(options | {"app_version": "1"}, session)
        client.send(session, event)
        if last:
            client.send(session, {"trigger": "sessionClosed", "kwargs": {"events": last}})

    fire_lot(fire, lambda: None, lot, rate)


if __name__ == "__main__":
    main(*sys.argv[1:])
