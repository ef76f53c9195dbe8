"""The recipes of docs/cookbook.md run unchanged, embedded in one process and on a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.cookbook import write_cookbook
from tests.support.program import Program, environment
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.kafka.topics import create_topics
from triggers.settings import Settings

ROOT = Path(__file__).parents[2]
DJANGO = {"DJANGO_SETTINGS_MODULE": "tests.support.django_settings"}
CONFIGURATION = {
    "t_import": {"after": ["pageReceived"], "run": "my_app.tasks.Import"},
    "t_done": {"after": ["sessionFinalized"], "run": "my_app.tasks.Done"},
}
FINALIZE = f"""
import json
from my_app.sessions import get_trigger_manager
manager = get_trigger_manager("q-1")
manager.update_configuration({CONFIGURATION!r})
manager.fire("pageReceived")
before = sorted(manager.storage.latest_kwargs)
manager.update_instance_status("t_import#0", "finished", cascade=True)
manager.storage.refresh()
print(json.dumps([before, sorted(manager.storage.latest_kwargs), sorted(manager.storage.instances)]))
"""
INSTANCES = """
import json
from my_app.sessions import get_trigger_manager
print(json.dumps(sorted(get_trigger_manager("q-1").storage.instances)))
"""
SUPER = """
import json
from my_app.applicants import receive_page, start_questionnaire
from my_app.sessions import get_trigger_manager
for questionnaire in ("flora-1", "fauna-1"):
    start_questionnaire(questionnaire, 7, {"t_import": {"after": ["pageReceived"], "run": "my_app.tasks.Import"}})
receive_page("fauna-1", 7, "fauna", 6, {"legs": 8})
receive_page("flora-1", 7, "flora", 3, {"petals": 5})
"""
COMPARISON = """
import json
from my_app.sessions import get_trigger_manager
found = [[each.status, each.kwargs] for each in get_trigger_manager("applicant:7").storage]
print(json.dumps(found))
"""
COMPARED = [
    "scheduled",
    {"flora_page3": {"responses": {"petals": 5}}, "fauna_page6": {"responses": {"legs": 8}}},
]


def run(folder: Path, code: str, settings: Settings | None = None) -> Any:  # noqa: ANN401  # JSON
    """Runs a program and returns the last line that it prints, decoded."""
    variables = environment(settings, PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]), **DJANGO)
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def stream(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A worker with the decision feed, and a process with the cookbook's hooks."""
    with_feed = msgspec.structs.replace(settings, decisions=True)
    create_topics(with_feed)
    write_cookbook(tmp_path, "stream")
    variables = environment(settings, PYTHONPATH=str(tmp_path))
    with WorkerProcess(with_feed, "w0") as worker:
        worker.wait_ready()
        with Program(tmp_path, "hooks", "-A", "my_app.celery", env=variables) as hooks:
            yield with_feed
            assert hooks.end(15) == 0, hooks.text


@pytest.mark.parametrize("storage", ["memory", "cache"])
def test_an_embedded_session_is_finalized(tmp_path: Path, storage: str) -> None:
    write_cookbook(tmp_path, storage)

    before, after, instances = run(tmp_path, FINALIZE)

    assert "sessionFinalized" not in before
    assert "sessionFinalized" in after
    assert "t_done#0" in instances


@pytest.mark.broker
def test_a_session_on_kafka_is_finalized_once(stream: Settings, tmp_path: Path) -> None:
    run(tmp_path, FINALIZE, stream)

    wait_until(lambda: "t_done#0" in run(tmp_path, INSTANCES, stream), "the session is finalized")

    assert run(tmp_path, INSTANCES, stream) == ["t_done#0", "t_import#0"]


@pytest.mark.parametrize("storage", ["memory", "cache"])
def test_an_embedded_super_session_waits_for_both_questionnaires(tmp_path: Path, storage: str) -> None:
    write_cookbook(tmp_path, storage)

    assert run(tmp_path, SUPER + COMPARISON) == [COMPARED]


@pytest.mark.broker
def test_a_super_session_on_kafka_waits_for_both_questionnaires(stream: Settings, tmp_path: Path) -> None:
    run(tmp_path, SUPER + COMPARISON, stream)

    wait_until(lambda: run(tmp_path, COMPARISON, stream) == [COMPARED], "both pages have come")
