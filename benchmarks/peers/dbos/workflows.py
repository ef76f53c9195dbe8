"""A questionnaire as a workflow that receives its events as messages. Its tasks are steps, whose results are kept.

`workflows URL` runs until it is killed.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from dbos import DBOS

from benchmarks.peers.tally import count_task

Json = dict[str, Any]

QUEUE = "questionnaires"
AT_A_TIME = 50
"""Number of workflows that run at a time, as many as people answer."""
WAIT_S = 3600.0


@DBOS.workflow()
def answer_questionnaire(session: str) -> None:
    """Applies the rules to the session's triggers until it is closed and has received as many as were sent.

    The number is necessary because messages of one millisecond may be received in either order.
    """
    fired: dict[str, Json] = {}
    waiting: list[Json] = []
    subject: Json | None = None
    browser_started = False
    received, sent = 0, None
    while received != sent:
        event: Json = DBOS.recv(timeout_seconds=WAIT_S)
        trigger, kwargs = event["trigger"], event.get("kwargs", {})
        if trigger == "sessionClosed":
            sent = kwargs["events"]
            continue
        received += 1
        if trigger == "pageReceived":
            waiting.append(kwargs)
        else:
            fired[trigger] = kwargs
        if subject is None and "firstPageReceived" in fired and "questionnaireComplete" in fired:
            subject = import_subject(session)
        if subject is not None and waiting:
            if "isEmbeddedApplication" not in fired and not browser_started:
                import_browser_metadata(session)
                browser_started = True
            for page in waiting:
                import_responses(session, page)
            waiting.clear()


@DBOS.step()
def import_subject(session: str) -> Json:
    """The task that completion runs."""
    count_task(session, "subject")
    return {"subjectId": 42}


@DBOS.step()
def import_responses(session: str, page: Json) -> None:
    """The task that every page runs."""
    count_task(session, "responses", page["responses"]["page"], page["at"])


@DBOS.step()
def import_browser_metadata(session: str) -> None:
    """The task that runs once, unless the application is embedded."""
    count_task(session, "browser")


def main(url: str) -> None:
    """Runs the workflows of the queue until the process is killed."""
    DBOS(config={"name": "peers", "system_database_url": url, "log_level": "WARNING", "application_version": "1"})
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=AT_A_TIME, polling_interval_sec=0.1)
    print("ready", flush=True)  # noqa: T201  # the caller waits for it
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
