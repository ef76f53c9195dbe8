"""The Celery tasks of the guide."""

from __future__ import annotations

from typing import Any

from django_questionnaire.models import Browser, Response, Subject
from triggers.task import TaskContext, TriggerTask


class ImportSubject(TriggerTask):
    """Stores the details about the person from the first page."""

    name = "app.tasks.ImportSubject"

    def _run(self, context: TaskContext) -> dict[str, Any]:
        answers = context.trigger_kwargs["firstPageReceived"]["responses"]
        subject, _ = Subject.objects.get_or_create(
            questionnaire_id=int(context.storage_uid), defaults={"name": answers["name"]}
        )
        return {"subjectId": subject.pk}


class ImportResponses(TriggerTask):
    """Stores a page of answers."""

    name = "app.tasks.ImportResponses"

    def _run(self, context: TaskContext) -> None:
        answers = context.trigger_kwargs["pageReceived"]["responses"]
        subject = context.trigger_kwargs["t_importSubject"]["subjectId"]
        Response.objects.get_or_create(subject_id=subject, page=answers["page"], defaults={"answer": answers["name"]})


class ImportBrowserMetadata(TriggerTask):
    """Stores the browser from any page."""

    name = "app.tasks.ImportBrowserMetadata"

    def _run(self, context: TaskContext) -> None:
        answers = context.trigger_kwargs["pageReceived"]["responses"]
        subject = context.trigger_kwargs["t_importSubject"]["subjectId"]
        Browser.objects.get_or_create(subject_id=subject, defaults={"family": answers["browser"].split("/")[0]})
