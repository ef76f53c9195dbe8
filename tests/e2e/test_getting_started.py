"""The commands and the code of docs/getting-started.md, in their order, on a stack of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.left_processes import find_processes, make_mark
from tests.support.program import environment
from tests.support.stack_program import StackProgram
from tests.support.topic_reader import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[2] / "docs" / "getting-started.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_page_leads_to_a_flow_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, start, dev_command, first_order, second_order, from_node, over_http = blocks("sh")
    [rule], [task] = blocks("json"), blocks("python")
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell(start, tmp_path, **programs)
    project, mark = tmp_path / "shop", make_mark()
    monkeypatch.chdir(project)
    program, *arguments = dev_command.split()
    assert program == "triggers"

    with StackProgram(tmp_path, *arguments, env=environment(None, **mark)) as dev:
        dev.wait_for("press Ctrl-C to stop everything", timeout_s=400)  # the first start downloads Kafka
        [brokers] = re.findall(r"triggers --brokers (\S+) --namespace", dev.text)
        there = programs | {"TRIGGERS_BROKERS": brokers}
        shell(first_order, project, **there)
        wait_until(lambda: {"t_charge#0", "t_ship#0"} <= finished("order-1", project, there), "order-1 is shipped")

        rules = json.loads((project / "rules.json").read_text()) | json.loads(rule)
        (project / "rules.json").write_text(json.dumps(rules))
        (project / "app.py").write_text(f"{(project / 'app.py').read_text()}\n\n{task}")
        dev.wait_for("changed; starting again")
        dev.wait_for("Published version 2 of the rules")
        shell(second_order, project, **there)
        wait_until(lambda: "t_thank#0" in finished("order-2", project, there), "order-2 is thanked for")
        if shutil.which("npm"):  # a machine without Node leaves this out
            shell(from_node.replace("localhost:9092", brokers), project, **there)
            wait_until(lambda: "t_thank#0" in finished("order-3", project, there), "the order from Node is thanked for")
        [api] = re.findall(r"API (http://\S+),", dev.text)
        if shutil.which("curl"):  # a machine without curl leaves this out
            shell(over_http.replace("http://127.0.0.1:6090", api), project, **there)
            wait_until(lambda: "t_thank#0" in finished("order-4", project, there), "the order over HTTP is thanked for")
        assert dev.interrupt() == 0

    assert (project / "data" / "kafka" / "meta.properties").exists()
    wait_until(lambda: not list(find_processes(mark)), "no process is left")


def shell(commands: str, folder: Path, **env: str) -> str:
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=folder,
        env=environment(None, **env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finished(session: str, folder: Path, env: dict[str, str]) -> set[str]:
    shown = json.loads(shell(f"triggers show {session} --json", folder, **env))
    return {each["name"] for each in shown["instances"] if each["status"] == "finished"}
