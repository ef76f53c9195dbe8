"""Django's view of the application."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class QuestionnaireConfig(AppConfig):
    """Brings the Celery app along, so that views can hand tasks to its broker."""

    name = "django_questionnaire"

    def ready(self) -> None:
        """See Django."""
        import_module("django_questionnaire.celery")
