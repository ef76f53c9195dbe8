"""A package of an application, in which Celery discovers tasks."""
