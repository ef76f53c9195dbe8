"""What an import of the package costs its user."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["celery", "django", "faust", "kombu", "rocksdict"]


@pytest.mark.parametrize("module", ["triggers", "triggers.analysis", "triggers.cli"])
def test_an_import_pulls_in_neither_faust_nor_celery_nor_django(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"

    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert found == []
