"""Hops 6 to 8: Celery runs the commands, and what becomes of them returns to the events."""

from triggers.celery.installation import install

__all__ = ["install"]
