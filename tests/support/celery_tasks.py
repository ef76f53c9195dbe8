# ruff: noqa: ANN401  # a bound Celery task is untyped
"""The Celery app of the tests, with one task for each way in which a task can end. Real workers run it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Reject
from celery.signals import worker_ready
from kombu.exceptions import OperationalError
from opentelemetry import trace

from triggers.celery import install
from triggers.task import StatusChange, TaskContext, TriggerTask, current_command

app = Celery("tests")
app.conf.update(
    worker_pool_start_method=os.environ.get("TEST_START_METHOD", "fork"),
    broker_connection_retry_on_startup=True,
)
if os.environ.get("TEST_BROKER_URL"):
    app.conf.broker_url = os.environ["TEST_BROKER_URL"]
if os.environ.get("TEST_RESULT_BACKEND"):
    app.conf.result_backend = os.environ["TEST_RESULT_BACKEND"]
install(app, consume=not os.environ.get("TEST_DISPATCHED"))


def route_task(name: str, _args: object, kwargs: Mapping[str, Any], *_: object, **__: object) -> object:
    """A router of the application. It raises for a tenant without a name, and whatever else its kwargs say."""
    if name.endswith(".tenant"):
        return {"queue": kwargs["tenant"]["name"]}
    raised = kwargs.get("page", {}).get("router raises")
    if raised:
        raise {"KeyError": KeyError, "OSError": OSError, "OperationalError": OperationalError}[raised]("no tenant")
    return None


app.conf.task_routes = (route_task,)
app.autodiscover_tasks(["tests.support.discovered"])
if os.environ.get("TEST_BEAT"):
    app.conf.beat_schedule = {"quick": {"task": "tests.support.celery_tasks.quick", "schedule": 1.0}}


def write_note(text: str) -> None:
    """Appends a line that the test can count even if the process is killed."""
    with Path(os.environ["TEST_NOTES"]).open("a") as notes:
        notes.write(text + "\n")


def note_imports_of_threads() -> None:
    """From now on, notes each module that a thread other than the main thread of this process has to load."""
    main, worker = threading.main_thread(), os.getpid()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import" and os.getpid() == worker and threading.current_thread() is not main:
            write_note(f"{threading.current_thread().name} imports {arguments[0]}")

    sys.addaudithook(note)


if os.environ.get("TEST_IMPORTS"):
    worker_ready.connect(lambda **_: note_imports_of_threads(), weak=False)


class UnpicklableError(Exception):
    """An exception that a pool child cannot send to its parent."""

    def __init__(self) -> None:
        super().__init__("has a lock")
        self.lock = threading.Lock()
        self.context = {"lock": self.lock, "page": 7}


class BadText:
    """An object whose `repr` raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@app.task(bind=True)
def echo(self: Any, **triggers: Mapping[str, object]) -> dict[str, object]:
    """Returns what it was called with."""
    command = current_command()
    write_note(self.request.id)
    return {"kwargs": triggers, "id": self.request.id, "session": command.session, "attempt": command.attempt}


@app.task
def plain(page: Mapping[str, object]) -> object:
    """Returns whatever its kwargs say."""
    return page.get("returns")


@app.task(queue="gpu", priority=7, expires=3600)
def render(**triggers: object) -> None:
    """Belongs to another queue of Celery."""


@app.task
def tenant(**triggers: object) -> None:
    """Belongs to the queue that the application's router names."""


@app.task(expires=0.001)
def expiring() -> None:
    """Is too late whenever it runs."""
    write_note("expiring")


@app.task(rate_limit="4/s")
def limited() -> dict[str, float]:
    """Runs four times a second at most."""
    return {"at": time.monotonic()}


@app.task
def quick(**triggers: object) -> None:
    """Does nothing."""


@app.task
def traced(**triggers: object) -> dict[str, list[str]]:
    """Makes a span of the application's."""
    with trace.get_tracer("shop").start_as_current_span("the task's own work"):
        return {"triggers": sorted(triggers)}


@app.task(bind=True)
def slow(self: Any, page: Mapping[str, float]) -> dict[str, object]:
    """Sleeps before it returns, for as long as the test lets its worker at most."""
    write_note(f"begin {self.request.id}")
    seconds = min(page["seconds"], float(os.environ.get("TEST_LONGEST_S", "inf")))
    time.sleep(seconds)
    write_note(f"end {self.request.id}")
    return {"slept": seconds}


@app.task(ignore_result=True)
def ignores_result() -> dict[str, int]:
    """Returns a result that Celery would not store."""
    return {"n": 1}


@app.task
def raises() -> None:
    """Raises an exception with a context."""
    error = ValueError("no such page")
    error.context = {"page": 7, "lock": threading.Lock()}  # type: ignore[attr-defined]
    raise error


@app.task
def raises_unpicklable() -> None:
    """Raises an exception that cannot be pickled."""
    raise UnpicklableError


@app.task
def raises_odd_text() -> None:
    """Raises an exception whose text is very long and not valid Unicode."""
    raise ValueError("\ud800" + "x" * 2_000_000)


@app.task
def out_of_memory() -> None:
    """Raises an exception that Celery does not handle."""
    raise MemoryError("too much")


@app.task
def returns_object() -> dict[str, object]:
    """Returns a value that JSON cannot represent."""
    return {"subject": BadText()}


@app.task
def returns_large() -> dict[str, str]:
    """Returns a result above the size limit."""
    return {"text": "x" * 950_000}


@app.task
def rejects() -> None:
    """Raises Celery's `Reject`."""
    raise Reject("do not want", requeue=False)


@app.task
def requeues() -> None:
    """Raises Celery's `Reject` with a request for another run."""
    raise Reject("not now", requeue=True)


@app.task
def ignores() -> None:
    """Raises Celery's `Ignore`."""
    raise Ignore


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def retries(self: Any) -> dict[str, int]:
    """Uses Celery's own retry, once."""
    write_note(self.request.id)
    if self.request.retries == 0:
        raise self.retry(exc=OSError("busy"))
    return {"retries": self.request.retries}


@app.task
def send_email(to: str, template: str) -> str:
    """A task that existed before there were triggers."""
    return f"{template} for {to}"


@app.task
def pid() -> int:
    """Returns the process that runs it."""
    return os.getpid()


@app.task
def sends() -> None:
    """Sends another task."""
    quick.delay()


@app.task(soft_time_limit=0.5)
def too_long_softly() -> None:
    """Exceeds its soft time limit."""
    time.sleep(30)


@app.task(time_limit=1)
def too_long() -> None:
    """Exceeds its hard time limit."""
    time.sleep(30)


@app.task
def exits() -> None:
    """Raises SystemExit."""
    sys.exit(3)


@app.task(bind=True)
def exits_hard(self: Any) -> None:
    """Ends the process with `os._exit`."""
    write_note(self.request.id)
    os._exit(7)


@app.task
def crashes() -> None:
    """Causes a segmentation fault."""
    ctypes.string_at(0)


@app.task
def kills_itself() -> None:
    """Sends itself SIGKILL, as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


class Classic(TriggerTask):
    """A class-based task. The kwargs of `page` say what it does."""

    name = "tests.Classic"
    max_retries = 2

    def _run(self, context: TaskContext) -> Any:
        page: Mapping[str, Any] = context.trigger_kwargs["page"]
        with context.get_logger_context({"page": 1}) as logger:
            logger.warning("careful")
        match page["do"]:
            case "skip":
                raise self.skip({"why": "empty"})
            case "status":
                raise StatusChange("parked", {"bay": 4})
            case "retry":
                raise self.retry(OSError("busy"), {"n": 1}, {"page": {"do": "return"}}, cooldown=1.5)
            case "log and raise":
                with context.get_logger_context():
                    raise KeyError("nothing")
            case "fire":
                context.manager.fire("fired", {"by": context.instance_name, "uid": context.storage_uid})
        return page.get("returns")


app.register_task(Classic())
