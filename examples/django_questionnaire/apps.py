"""The application's configuration for Django."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class QuestionnaireConfig(AppConfig):
    """Imports the Celery app, so that views can send tasks to its broker."""

    name = "django_questionnaire"

    def ready(self) -> None:
        """Called by Django when it starts."""
        import_module("django_questionnaire.celery")
