"""The application of the Triggers framework's guide, with the Celery app that the guide leaves to the reader."""

from __future__ import annotations

import os
from importlib import import_module

from celery import Celery

from triggers import CacheStorageBackend, TriggerManager
from triggers.task import TaskContext, TriggerTask

import_module("django").setup()

app = Celery("guide", broker=os.environ["TEST_REDIS_URL"])
app.conf.update(broker_connection_retry_on_startup=True, task_default_queue=os.environ["TEST_QUEUE"])

RULES: dict[str, dict[str, object]] = {
    "t_importSubject": {
        "after": ["firstPageReceived", "questionnaireComplete"],
        "run": "app.tasks.ImportSubject",
    },
    "t_importResponses": {
        "after": ["t_importSubject"],
        "andEvery": "pageReceived",
        "run": "app.tasks.ImportResponses",
    },
    "t_importBrowserMetadata": {
        "after": ["t_importSubject", "pageReceived"],
        "unless": ["isEmbeddedApplication"],
        "run": "app.tasks.ImportBrowserMetadata",
    },
}


def manager_of(session_uid: str) -> TriggerManager:
    """Makes a manager as in step 4 of the guide."""
    storage_backend = CacheStorageBackend(
        uid=session_uid,
        cache=os.environ.get("TEST_CACHE", "default"),
        timeout=3600,
    )
    return TriggerManager(storage_backend)


class ImportSubject(TriggerTask):
    """The task of the guide's chapter on tasks, without its database."""

    name = "app.tasks.ImportSubject"

    def _run(self, context: TaskContext) -> dict[str, object]:
        page_data = context.trigger_kwargs["firstPageReceived"]["responses"]
        return {"subjectId": len(page_data["name"])}


class ImportResponses(TriggerTask):
    """Logs a warning for the second page."""

    name = "app.tasks.ImportResponses"

    def _run(self, context: TaskContext) -> dict[str, object]:
        page = context.trigger_kwargs["pageReceived"]["responses"]["page"]
        with context.get_logger_context() as logger:
            if page == 2:
                logger.warning("an odd page", extra={"context": {"page": page}})
        return {"page": page, "subject": context.trigger_kwargs["t_importSubject"]["subjectId"]}


class ImportBrowserMetadata(TriggerTask):
    """Fails to reach its service once, and fires a trigger when it succeeds."""

    name = "app.tasks.ImportBrowserMetadata"
    max_retries = 3

    def _run(self, context: TaskContext) -> None:
        if self.request.retries < 1:
            raise self.retry(exc=ConnectionError("the service is busy"), cooldown=1)
        context.manager.fire("browserKnown", {"attempt": context.attempt})
