"""A Celery app whose tasks do nothing. They come from Kafka through the bootstep or, with `BENCH_REDIS`, from Redis."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery

from triggers.celery import install

REDIS = os.environ.get("BENCH_REDIS")
NOTES = os.environ.get("BENCH_NOTES")

app = Celery("bench", broker=REDIS, backend=REDIS)
app.conf.update(task_ignore_result="BENCH_IGNORE_RESULTS" in os.environ)
app.conf.update(worker_prefetch_multiplier=100, broker_connection_retry_on_startup=True)
if not REDIS:
    install(app)


@app.task(name="app.tasks.ImportSubject")
def import_subject(**_kwargs: Any) -> dict[str, int]:
    """The task that completion runs."""
    return {"subjectId": 42}


@app.task(name="app.tasks.ImportResponses")
def import_responses(pageReceived: dict[str, Any], **_kwargs: Any) -> dict[str, int]:  # noqa: N803  # the name of a trigger
    """The task that every page runs. It writes down the time since the page was fired."""
    if NOTES:
        with Path(NOTES).open("a") as notes:
            notes.write(f"{time.time() - pageReceived['at']}\n")
    return {}
