"""Runs the sessions of a workload with the old framework on Redis, call after call. Tasks do nothing.

It prints its figures as JSON. It needs a separate environment with a checkout of the framework on its path.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import types
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

Json = dict[str, object]


class Manager(Protocol):
    """The part of the old `TriggerManager` that a session uses."""

    def update_configuration(self, configuration: Json) -> None:
        """Sets the rules."""

    def fire(self, trigger_name: str, trigger_kwargs: Json | None = None) -> None:
        """Fires a trigger."""

    def update_instance_status(
        self, task_instance: str, status: str, *, cascade: bool = False, cascade_kwargs: Json | None = None
    ) -> None:
        """Reports a task's status, as the task does."""


def main(redis_url: str, pages: str, sessions: str) -> None:
    """Runs every session of the workload, from its rules to its last page."""
    _configure(redis_url)
    manager_of = _framework()
    rules, kwargs = json.loads(sys.stdin.readline()), json.loads(sys.stdin.readline())
    seconds, cpu_s, events = time.perf_counter(), time.process_time(), 0
    for number in range(int(sessions)):
        events += _session(manager_of(f"questionnaire-{pages}-{number}"), rules, kwargs, int(pages))
    figures = {"seconds": time.perf_counter() - seconds, "cpu_s": time.process_time() - cpu_s, "events": events}
    memory = {"resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    sys.stdout.write(json.dumps(figures | memory))


def _session(manager: Manager, rules: Json, kwargs: list[Json], pages: int) -> int:
    """Runs a session and returns the number of its events."""
    manager.update_configuration(rules)
    manager.fire("isEmbeddedApplication")
    manager.fire("firstPageReceived", {"name": "Marcus"})
    manager.fire("questionnaireComplete")
    result: Json = {"subjectId": 42}
    manager.update_instance_status("t_importSubject#0", "finished", cascade=True, cascade_kwargs=result)
    for page in range(pages):
        manager.fire("pageReceived", kwargs[page % len(kwargs)])
    return 5 + pages


def _configure(redis_url: str) -> None:
    options = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
    cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis_url, "OPTIONS": options, "TIMEOUT": 3600}
    import_module("django.conf").settings.configure(CACHES={"default": cache}, INSTALLED_APPS=[])
    import_module("django").setup()


def _framework() -> Callable[[str], Manager]:
    """Returns a function that makes a session's manager. Its runner runs nothing."""
    module = types.ModuleType("celery.task")  # the framework imports a name from a module that Celery 5 does not have
    vars(module)["Task"] = import_module("celery").Task
    sys.modules["celery.task"] = module
    runners = import_module("triggers.runners")
    base = import_module("triggers.manager").TriggerManager
    storage = import_module("triggers.storages.cache").CacheStorageBackend
    vars(runners)["task_runners"] = import_module("class_registry").ClassRegistry()
    nothing = type("NoRunner", (runners.BaseTaskRunner,), {"name": "nothing", "run": lambda *_: None})
    runners.task_runners.register("nothing")(nothing)
    manager = type("Manager", (base,), {"default_task_runner_name": "nothing"})
    return lambda uid: manager(storage(uid))


if __name__ == "__main__":
    main(*sys.argv[1:])
