"""The Celery app. Start a worker with: celery -A django_questionnaire.celery worker."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

import triggers.celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_questionnaire.settings")

app = Celery("django_questionnaire")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["django_questionnaire"])

if settings.TRIGGER_STORAGE_TYPE == "stream":
    triggers.celery.install(app)
