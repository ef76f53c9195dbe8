"""Hops 6 to 8: Celery runs the commands, and their results are published as events."""

from triggers.celery.installation import install

__all__ = ["install"]
