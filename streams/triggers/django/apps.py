"""The configuration of the Django application."""

from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """The Django application. It has only commands, no models and no URLs."""

    name = "triggers.django"
    label = "triggers"
