"""Finds Celery tasks by name."""

from __future__ import annotations

import sys

from celery import Task, current_app


def resolve_celery_task(target: str, autoload: bool = True) -> Task:
    """Returns the task of that name in the current Celery app.

    With `autoload`, imports the tasks of Django's applications if the name is unknown. Raises ValueError if no task has
    the name.
    """
    if autoload:
        current_app.finalize()
        if target not in current_app.tasks:
            autodiscover_celery_tasks()
    if target not in current_app.tasks:
        raise ValueError(f"{target!r} is not a registered Celery task.")
    return current_app.tasks[target]


def autodiscover_celery_tasks() -> None:
    """Imports the `tasks` modules of Django's applications. Does nothing if Django is not set up."""
    django_apps = sys.modules.get("django.apps")
    if django_apps is not None and django_apps.apps.ready:
        packages = [config.name for config in django_apps.apps.get_app_configs()]
        current_app.loader.autodiscover_tasks(packages)
