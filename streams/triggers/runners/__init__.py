"""Task runners, which run the tasks of embedded storages: on Celery workers, in threads, or as an application likes."""

from triggers.extras import explain_missing
from triggers.registry import task_runners

try:
    from triggers.runners.celery_runner import CeleryTaskRunner
    from triggers.runners.contract import BaseTaskRunner
    from triggers.runners.task_lookup import autodiscover_celery_tasks, resolve_celery_task
    from triggers.runners.threading_runner import ThreadingTaskRunner
except ModuleNotFoundError as error:
    raise explain_missing(error, "triggers.runners", "celery") from error

DEFAULT_TASK_RUNNER: type[BaseTaskRunner] = CeleryTaskRunner
"""The runner of rules without `using` whose manager has no `default_task_runner_name`."""

__all__ = [
    "DEFAULT_TASK_RUNNER",
    "BaseTaskRunner",
    "CeleryTaskRunner",
    "ThreadingTaskRunner",
    "autodiscover_celery_tasks",
    "resolve_celery_task",
    "task_runners",
]
