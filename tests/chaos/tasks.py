# ruff: noqa: ANN401  # a bound Celery task is untyped
"""The Celery app of the campaign. Real Celery workers run it, and each execution writes a line."""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery

from triggers.celery import install
from triggers.celery.installation import installed_settings
from triggers.celery.result_publisher import ResultPublisher
from triggers.core.events import TaskFinished
from triggers.task import TaskContext, TriggerTask, current_command

app = Celery("chaos", broker=os.environ.get("CHAOS_BROKER_URL", "none://"))
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
if os.environ.get("CHAOS_BROKER_URL"):  # behind a dispatcher, Redis delivers a task again if its worker dies
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        broker_transport_options={"visibility_timeout": 10},
        worker_prefetch_multiplier=4,
    )
install(app, consume="CHAOS_BROKER_URL" not in os.environ)

publisher = ResultPublisher(installed_settings())
_SECONDS = 0.002
_SLOW_S = 0.5


def write_execution(task_id: str) -> None:
    """Appends a line for an execution, which stays even if the process is killed."""
    executions = os.open(os.environ["CHAOS_EXECUTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(executions, f"{task_id}\n".encode())
    finally:
        os.close(executions)


@app.task(bind=True)
def work(self: Any, **triggers: object) -> dict[str, object]:
    """Sleeps for a moment and returns the names of its triggers."""
    write_execution(self.request.id)
    time.sleep(_SECONDS)
    return {"triggers": sorted(triggers)}


@app.task(bind=True)
def reports_twice(self: Any, **triggers: object) -> dict[str, object]:
    """Publishes its result twice, as a worker does that has lost the acknowledgement."""
    write_execution(self.request.id)
    command = current_command()
    event = TaskFinished(instance=command.instance, attempt=command.attempt, result=b'{"triggers": ["t_import"]}')
    publisher.publish(command, event)
    return {"triggers": sorted(triggers)}


@app.task(bind=True)
def fails(self: Any, **_triggers: object) -> None:
    """Raises."""
    write_execution(self.request.id)
    raise ValueError("as planned")


@app.task(bind=True)
def flaky(self: Any, **triggers: object) -> dict[str, object]:
    """Raises at its first attempt. The rule says when there is another one."""
    write_execution(self.request.id)
    if current_command().attempt == 1:
        raise OSError("not yet")
    return {"triggers": sorted(triggers)}


@app.task(bind=True)
def slow(self: Any, **triggers: object) -> dict[str, object]:
    """Takes long enough for its cancellation to arrive."""
    write_execution(self.request.id)
    time.sleep(_SLOW_S)
    return {"triggers": sorted(triggers)}


class Retries(TriggerTask):
    """Retries once after half a second, which needs a timer."""

    name = "tests.chaos.tasks.Retries"
    max_retries = 1

    def _run(self, context: TaskContext) -> dict[str, object]:  # noqa: ARG002  # the framework's signature
        write_execution(self.request.id)
        if self.request.retries == 0:
            raise self.retry(OSError("not yet"), cooldown=0.5)
        return {"retries": self.request.retries}
