"""Django's settings for tests of the cache storage: caches in memory, and Redis if a test has started one."""

from __future__ import annotations

import os

SECRET_KEY = "tests"  # noqa: S105  # a test has no secrets
USE_TZ = True
INSTALLED_APPS = ["triggers.django"]

_LOCAL = "django.core.cache.backends.locmem.LocMemCache"
CACHES: dict[str, dict[str, object]] = {
    "default": {"BACKEND": _LOCAL, "LOCATION": "default", "OPTIONS": {"MAX_ENTRIES": 100_000}},
    "short": {"BACKEND": _LOCAL, "LOCATION": "short", "TIMEOUT": 60},
    "files": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}

if _URL := os.environ.get("TEST_REDIS_URL"):
    CACHES["django"] = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _URL}
    CACHES["django_redis"] = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": _URL}
