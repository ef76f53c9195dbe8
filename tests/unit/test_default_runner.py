"""The runner of rules without `using`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from triggers import runners
from triggers.registry import default_runner_name


def test_it_is_the_one_that_the_framework_names() -> None:
    assert default_runner_name() == runners.CeleryTaskRunner.name


def test_an_application_can_replace_the_default_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "DEFAULT_TASK_RUNNER", runners.ThreadingTaskRunner)

    assert default_runner_name() == "threading"


def test_reading_the_default_runners_name_does_not_import_celery() -> None:
    program = (
        "import sys; from triggers.registry import default_runner_name as name; print(name(), 'celery' in sys.modules)"
    )

    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert output.split() == ["celery", "False"]
