"""The Celery app: three tasks and the line that makes its workers take commands from Kafka.

QUESTIONNAIRE_DATA=… BROWSER_SERVICE=http://… celery -A questionnaire.app worker
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from celery import Celery, Task

import triggers.celery
from questionnaire.databases import Databases
from triggers.task import TaskContext, TriggerTask

app = Celery("questionnaire", broker="none://")
triggers.celery.install(app)

databases = Databases(Path(os.environ.get("QUESTIONNAIRE_DATA", "questionnaire-data")))
databases.create()


class ImportSubject(TriggerTask):
    """Stores the details about the person in the SQL database."""

    name = "app.tasks.ImportSubject"

    def _run(self, context: TaskContext) -> dict[str, object]:
        first_page = context.trigger_kwargs["firstPageReceived"]
        subject = databases.add_subject(self.request.id, context.storage_uid, str(first_page["name"]))
        return {"subjectId": subject}


@app.task(name="app.tasks.ImportResponses", bind=True)
def import_responses(self: Task, pageReceived: dict[str, Any], t_importSubject: dict[str, Any]) -> None:  # noqa: N803
    """Stores a page of responses in the document store."""
    session = self.request.id.rsplit("/", 2)[0]
    databases.add_responses(self.request.id, session, t_importSubject["subjectId"], pageReceived["responses"])


@app.task(name="app.tasks.ImportBrowserMetadata", bind=True)
def import_browser_metadata(self: Task, pageReceived: dict[str, Any], t_importSubject: dict[str, Any]) -> None:  # noqa: N803
    """Stores what a web service knows about the person's browser."""
    agent = pageReceived["responses"]["browser"]
    with urlopen(f"{os.environ['BROWSER_SERVICE']}/?agent={quote(agent)}", timeout=10) as answer:  # noqa: S310  # the URL is our own
        browser = json.load(answer)
    session = self.request.id.rsplit("/", 2)[0]
    databases.add_browser(self.request.id, session, t_importSubject["subjectId"], browser["family"])
