"""Finds the questionnaire example and starts its processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from triggers.dev import child_process
from triggers.errors import SettingsError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.operator_properties import operator_properties
from triggers.settings import Settings

APP = "questionnaire.app"


def examples_folder() -> Path:
    """Return the folder of the examples, in the installed package or in the checkout. Raises SettingsError."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / "questionnaire").is_dir():
            return folder
    raise SettingsError("the questionnaire example is not installed: run the command in a checkout of the project")


def example_rules() -> dict[str, dict[str, object]]:
    """Return the rules of the questionnaire, which all of its sessions take."""
    rules: dict[str, dict[str, object]] = json.loads((examples_folder() / "questionnaire" / "rules.json").read_bytes())
    return rules


def example_environment(data: Path, browser_service: int) -> dict[str, str]:
    """Return the environment variables that the example's Celery app reads."""
    search = os.pathsep.join([str(examples_folder()), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        "PYTHONPATH": search,
        "QUESTIONNAIRE_DATA": str(data),
        "BROWSER_SERVICE": f"http://127.0.0.1:{browser_service}",
    }


def producer_environment(settings: Settings) -> dict[str, str]:
    """Return the variable with which the example's producer connects to a secured cluster.

    It has no callback, so the producer cannot use AWS_MSK_IAM.
    """
    properties = operator_properties(settings, ClientKind.PRODUCER)
    texts = {name: value for name, value in properties.items() if isinstance(value, str)}
    return {"QUESTIONNAIRE_KAFKA": json.dumps(texts)}


class BrowserService:
    """The example's third-party web service, on a free port."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "questionnaire.browser_service"]
        self._process = child_process.start(command, output=subprocess.PIPE, cwd=examples_folder())
        stdout = self._process.stdout
        self.port = int(stdout.readline()) if stdout else 0

    def stop(self) -> None:
        child_process.stop(self._process, 5)
        if self._process.stdout:
            self._process.stdout.close()
