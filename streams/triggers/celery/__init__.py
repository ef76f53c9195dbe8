"""Hop 6, celery: delivers commands to Celery, which runs their tasks, and publishes the results as events."""

from triggers.extras import explain_missing

try:
    from triggers.celery.installation import install
except ModuleNotFoundError as error:
    raise explain_missing(error, "triggers.celery", "celery") from error

__all__ = ["install"]
