# ruff: noqa: ANN401  # a bound Celery task is untyped
"""Shared tasks that Celery discovers when a worker starts. Their options are those of docs/celery.md."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from celery import Task, chain, shared_task


class Noting(Task):  # type: ignore[misc]  # Celery carries no types
    """A task class of the application that changes every result."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return {"by": type(self).__name__, "result": self.run(*args, **kwargs)}


@shared_task(base=Noting, bind=True)
def found(self: Any) -> str:
    """Returns the id that it runs under, through its class."""
    return str(self.request.id)


@shared_task(acks_late=True, acks_on_failure_or_timeout=False, reject_on_worker_lost=True)
def late(how: dict[str, str]) -> dict[str, int]:
    """Would be acknowledged by Celery when it has ended, if there was a message."""
    match how["ends"]:
        case "raising":
            raise ValueError("late")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    return {"n": 1}


@shared_task(acks_late=True, acks_on_failure_or_timeout=False, time_limit=1)
def late_too_long() -> None:
    """Exceeds its hard time limit."""
    time.sleep(30)


@shared_task(autoretry_for=(OSError,), max_retries=1, default_retry_delay=0, bind=True)
def autoretries(self: Any) -> dict[str, int]:
    """Fails once."""
    if self.request.retries == 0:
        raise OSError("busy")
    return {"retries": self.request.retries}


@shared_task
def sends_chain() -> None:
    """Sends a chain of two tasks."""
    chain(found.si(), found.si()).delay()


@shared_task(bind=True)
def replaces(self: Any) -> None:
    """Is replaced by another task."""
    raise self.replace(found.si())
