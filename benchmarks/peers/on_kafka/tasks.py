"""A Celery app whose worker takes commands from Kafka. Its tasks only count themselves."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task

import triggers.celery
from benchmarks.peers.tally import count_task

app = Celery("peers", broker="none://")
app.conf.update(worker_prefetch_multiplier=100)
triggers.celery.install(app)


@app.task(name="app.tasks.ImportSubject", bind=True)
def import_subject(self: Task, **_kwargs: Any) -> dict[str, int]:
    """The task that completion runs."""
    count_task(_session_of(self), "subject")
    return {"subjectId": 42}


@app.task(name="app.tasks.ImportResponses", bind=True)
def import_responses(self: Task, pageReceived: dict[str, Any], **_kwargs: Any) -> None:  # noqa: N803  # a trigger's name
    """The task that every page runs."""
    count_task(_session_of(self), "responses", pageReceived["responses"]["page"], pageReceived["at"])


@app.task(name="app.tasks.ImportBrowserMetadata", bind=True)
def import_browser_metadata(self: Task, **_kwargs: Any) -> None:
    """The task that runs once, unless the application is embedded."""
    count_task(_session_of(self), "browser")


def _session_of(task: Task) -> str:
    session: str = task.request.id.rsplit("/", 2)[0]
    return session
