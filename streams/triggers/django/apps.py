"""The configuration of the Django application."""

from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """It has commands only: no models, no URLs."""

    name = "triggers.django"
    label = "triggers"
