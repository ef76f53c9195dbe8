"""`triggers dev` runs a stack in a terminal and leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.left_processes import find_processes, make_mark
from tests.support.program import environment
from tests.support.prometheus_server import families_of_ours, prometheus, query
from tests.support.stack_program import StackProgram
from tests.support.topic_reader import wait_until

from triggers.telemetry.catalogue import all_families

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("broker"), pytest.mark.timeout(300)]

RULES = {"t_importSubject": {"after": ["firstPageReceived", "complete"], "run": "app.tasks.ImportSubject"}}


def test_the_stack_serves_the_command_line_and_is_gone_after_ctrl_c(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({}))
    mark = make_mark()

    with StackProgram(
        tmp_path, "dev", "--rules", str(rules), env=environment(None, TMPDIR=str(temporary), **mark)
    ) as dev:
        dev.wait_for("press Ctrl-C to stop everything")
        address = _told(dev.text)
        dev.wait_for("Published version 1 of the rules 'rules'")
        rules.write_text(json.dumps(RULES))
        dev.wait_for("Published version 2 of the rules 'rules'")
        _triggers(address, "fire", "s1", "firstPageReceived", "--kwargs", '{"name": "Ada"}')
        fired = _triggers(address, "fire", "s1", "complete", "--json")
        after = f"{fired['partition']}/{fired['offset']}"
        wait_until(lambda: _is_over(_triggers(address, "show", "s1", "--after", after, "--json")), "the task has run")
        session = _triggers(address, "show", "s1", "--json")
        in_console = _in_console(dev.text, "s1")
        in_api = _in_api(dev.text, "s1")
        assert dev.interrupt() == 0

    assert in_console == in_api == session
    assert session["rules"] == {"name": "rules", "version": 2, "pending": ""}
    assert [(one["name"], one["status"]) for one in session["instances"]] == [("t_importSubject#0", "finished")]
    wait_until(lambda: not list(find_processes(mark)), "no process is left")
    assert list(temporary.iterdir()) == []


def test_a_stack_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    mark = make_mark()

    with StackProgram(tmp_path, "dev", "--celery-workers", "0", env=environment(None, **mark)) as dev:
        dev.wait_for("press Ctrl-C to stop everything")
        assert len(list(find_processes(mark))) >= 3, "the program itself, a broker and a worker"
        dev.end(signal.SIGKILL)

    wait_until(lambda: not list(find_processes(mark)), "no process is left")


def test_a_real_prometheus_scrapes_every_process_with_the_file_of_the_stack(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with StackProgram(tmp_path, "dev", "--processes", "2", "--data", str(data), env=environment()) as dev:
        dev.wait_for("press Ctrl-C to stop everything")
        (told,) = re.findall(r"prometheus --config\.file=(\S+)", dev.text)
        with prometheus(Path(told), tmp_path) as url:
            wait_until(lambda: len([each for each in query(url, "up") if each["value"][1] == "1"]) == 5, "all are up")
            built = query(url, "triggers_build_info")
            families = families_of_ours(url)
        served = re.findall(r"(\S+): http://127\.0\.0\.1:\d+/metrics", dev.text)
        assert dev.interrupt() == 0

    assert sorted(served) == ["api", "celery-0", "console", "worker-0", "worker-1"]
    assert Counter(each["metric"]["job"] for each in built) == {
        "triggers-agent": 2,
        "triggers-api": 1,
        "triggers-celery": 1,
        "triggers-console": 1,
    }
    assert {each["metric"]["process"] for each in built} == {"agent", "api", "celery-worker", "console"}
    assert len(families) > 30
    assert families - all_families().keys() == set()


def _is_over(session: dict[str, Any]) -> bool:
    """Returns whether nothing changes any more, so that answers can be compared."""
    return not session["unresolved_instances"]


def _in_console(text: str, session: str) -> object:
    (url,) = re.findall(r"console (http://\S+),", text)
    with urllib.request.urlopen(f"{url}/api/sessions/{session}", timeout=20) as response:  # noqa: S310  # the URL is the console's
        return json.load(response)


def _in_api(text: str, session: str) -> object:
    (url,) = re.findall(r"API (http://\S+),", text)
    with urllib.request.urlopen(f"{url}/v1/sessions/{session}", timeout=20) as response:  # noqa: S310  # the URL is the API's
        return json.load(response)


def _told(text: str) -> list[str]:
    (found,) = re.findall(r"in another terminal: triggers (--brokers \S+ --namespace \S+) list", text)
    return str(found).split()


def _triggers(address: list[str], *arguments: str) -> Any:  # noqa: ANN401  # JSON
    command = [sys.executable, "-m", "triggers.cli", *address, *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout
