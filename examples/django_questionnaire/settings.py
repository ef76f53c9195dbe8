"""Django's settings. `cache` keeps sessions in Redis, and `stream` keeps them on Kafka. Nothing else changes."""

from __future__ import annotations

import os

SECRET_KEY = "an example"  # noqa: S105  # an example has no secrets
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "django_questionnaire.urls"
INSTALLED_APPS = ["django_questionnaire"]
MIDDLEWARE: list[str] = []
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("QUESTIONNAIRE_DATABASE", "questionnaire.sqlite3"),
        "OPTIONS": {"timeout": 30},
    }
}

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL

TRIGGER_MANAGER_TYPE = "default"
TRIGGER_STORAGE_TYPE = os.environ.get("TRIGGER_STORAGE_TYPE", "cache")
TRIGGER_RULES_FILE = os.environ.get("TRIGGER_RULES_FILE", "published-rules.jsonl")
"""Where the published rules are if sessions are not on Kafka. All processes need the same file."""
