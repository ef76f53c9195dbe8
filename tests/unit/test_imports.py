"""An import of the package does not import optional or large libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONTEXT = "import triggers.task; triggers.task.TaskContext('t#0', 'default', 'memory', 's', dict())"
SETTINGS = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.support.django_settings'"
CACHE = "os.environ['TEST_REDIS_URL'] = 'redis://nowhere'; import triggers; triggers.CacheStorageBackend"
HEAVY = ["celery", "django", "faust", "kombu", "rocksdict"]


@pytest.mark.parametrize("module", ["triggers", "triggers.analysis", "triggers.cli"])
def test_an_import_pulls_in_neither_faust_nor_celery_nor_django(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"

    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert imported == []


@pytest.mark.parametrize(
    ("absent", "program", "extra"),
    [
        ("celery", "import triggers.celery", "kafka-triggers[celery]"),
        ("celery", "from triggers.task import TriggerTask", "kafka-triggers[celery]"),
        ("celery", "from triggers.runners import BaseTaskRunner", "kafka-triggers[celery]"),
        ("starlette", "import triggers.api", "kafka-triggers[api]"),
        ("jinja2", "import triggers.console", "kafka-triggers[console]"),
        ("django", "from triggers import CacheStorageBackend", "kafka-triggers[django]"),
        ("django", "from triggers.locking import acquire_lock", "kafka-triggers[django]"),
        ("filters", f"{CONTEXT}.filter_kwargs(dict())", "kafka-triggers[filters]"),
        ("redis", f"{SETTINGS}; {CACHE}('s', 'django')", "kafka-triggers[redis]"),
        ("django_redis", f"{SETTINGS}; {CACHE}('s', 'django_redis')", "kafka-triggers[django-redis]"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_the_extra_that_brings_it(
    absent: str, program: str, extra: str
) -> None:
    hidden = f"import sys; sys.modules[{absent!r}] = None; {program}"

    finished = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)

    assert finished.returncode == 1
    assert extra in finished.stderr


def test_the_api_is_served_without_celery() -> None:
    served = "from triggers.cli.finished_commands import finished_of_executors; print(finished_of_executors())"
    program = f"import sys; sys.modules['celery'] = None; {served}"

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert finished.stdout == "None\n"


def test_other_storages_are_there_without_django() -> None:
    printed = "import triggers; print(triggers.storage_backends.get_class('stream'))"
    program = f"import sys; sys.modules['django'] = None; {printed}"

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "StreamStorage" in finished.stdout


@pytest.mark.parametrize("module", ["triggers.cli.top", "triggers.cli.status", "triggers.cli.bulk"])
@pytest.mark.parametrize("absent", ["starlette", "jinja2", "uvicorn"])
def test_an_operators_commands_need_no_extra_of_the_console_or_the_api(module: str, absent: str) -> None:
    program = f"import sys; sys.modules[{absent!r}] = None; import {module}"

    subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
