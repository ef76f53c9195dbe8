"""`manage.py publish_rules`: run it at each deployment, as `migrate`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from django_questionnaire.rules import RULES
from triggers import publish_rules


class Command(BaseCommand):
    """Repeating it changes nothing."""

    help = "Publish the rules, which every questionnaire takes with its first event."

    def handle(self, *_: object, **_options: Any) -> None:
        published = publish_rules("questionnaire", RULES, is_default=True, existing="adopt")
        self.stdout.write(f"published version {published.version}" if published else "the rules have not changed")
