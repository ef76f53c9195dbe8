"""The application's configuration for Django."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from triggers.storages.published_rules import RulesFile, set_rules


class QuestionnaireConfig(AppConfig):
    """Imports the Celery app, so that views can send tasks to its broker, and says where published rules are."""

    name = "django_questionnaire"

    def ready(self) -> None:
        """Called by Django when it starts."""
        import_module("django_questionnaire.celery")
        if settings.TRIGGER_STORAGE_TYPE != "stream":  # there, they are on Kafka
            set_rules(RulesFile(settings.TRIGGER_RULES_FILE))
