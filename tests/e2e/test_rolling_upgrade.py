"""The code of the last release and the current one run side by side: an upgrade under load, and back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from tests.support import released_code
from tests.support.fold_oracle import assert_equals_fold
from tests.support.program import environment
from tests.support.questionnaires import CONFIGURATION, Application, Load
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import PATIENCE_S, read_topic, wait_until
from tests.support.topic_setup import create_topics

from triggers.client.consumer_lag import measure_lag
from triggers.codec import EventDecoder, decode_command
from triggers.core.events import TaskFinished
from triggers.kafka.group_offsets import members_of_groups
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(500)]

RATE = 60
TASKS = sorted({str(rule["run"]) for rule in CONFIGURATION.values()})
APPLICATION = f'''
"""A Celery application that any release can run: it writes down the id of each task."""
import os
from celery import Celery
from triggers.celery import install

app = Celery("upgrade")
app.conf.broker_connection_retry_on_startup = True
install(app)

for name in {TASKS!r}:
    @app.task(name=name, bind=True)
    def run(self, **kwargs):
        with open(os.environ["TEST_RUNS"], "a") as file:
            file.write(self.request.id + "\\n")
        return {{}}
'''


class Process:
    """A process of one release, with a log. `with` starts it and kills it at the end."""

    def __init__(self, python: Path, log: Path, variables: dict[str, str], *arguments: str) -> None:
        self.log = log
        self._command = [str(python), "-m", *arguments]
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._variables,
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends it as an operator does, and checks that it ended in good order."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(PATIENCE_S) == 0, self.log.read_text()[-3000:]


class Fleet:
    """Agents and Celery workers, each of a release of its own. A replaced one keeps its name and its folder."""

    def __init__(self, settings: Settings, old: Path, folder: Path, stack: ExitStack) -> None:
        self._settings = settings
        self._pythons = {"old": old, "new": Path(sys.executable)}
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Process] = {}
        self.runs = folder / "runs"
        (folder / "upgrading.py").write_text(APPLICATION)

    def replace(self, name: str, release: str) -> None:
        """Stops the process of that name, if there is one, and starts one of a release. Waits until it works."""
        if (before := self._running.pop(name, None)) is not None:
            before.stop()
        start = self._agent if name.startswith("agent") else self._celery
        process = self._running[name] = self._stack.enter_context(start(name, release))
        group = self._group_of(name)
        wait_until(lambda: self._is_member(name, group), f"{name} of the {release} release works; see {process.log}")

    def _is_member(self, name: str, group: str) -> bool:
        members = members_of_groups(self._settings, [group])
        return len(members) == len([each for each in self._running if self._group_of(each) == group]) and (
            not name.startswith("agent") or any(each.startswith(name) for each in members)
        )

    def _group_of(self, name: str) -> str:
        names = Topology(self._settings.namespace)
        return names.agents if name.startswith("agent") else names.executors

    def _agent(self, name: str, release: str) -> Process:
        return self._process(name, release, "triggers.cli", "worker")

    def _celery(self, name: str, release: str) -> Process:
        options = ("--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=INFO", f"--hostname={name}@%h")
        return self._process(name, release, "celery", "-A", "upgrading", "worker", *options)

    def _process(self, name: str, release: str, *arguments: str) -> Process:
        variables = environment(
            self._settings,
            TRIGGERS_WORKER_ID=name,
            TRIGGERS_DATA_DIR=str(self._folder / "data"),
            TRIGGERS_WEB_PORT="0",
            TEST_RUNS=str(self.runs),
            PYTHONPATH=str(self._folder),
        )
        return Process(self._pythons[release], self._folder / f"{name}.log", variables, *arguments)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The Python of an environment with the last release."""
    python = released_code.install(tmp_path / "released")
    shown = subprocess.run(
        [python, "-I", "-c", "import triggers; print(triggers.__file__)"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith(str(tmp_path)), "the environment has the current code instead"
    return python


@pytest.fixture
def fleet(settings: Settings, old: Path, tmp_path: Path) -> Iterator[Fleet]:
    create_topics(settings)
    with ExitStack() as stack:
        yield Fleet(settings, old, tmp_path, stack)


AGENTS, EXECUTORS = ("agent-0", "agent-1"), ("celery-0", "celery-1")


def test_a_rolling_upgrade_and_a_rollback_lose_and_repeat_nothing(settings: Settings, fleet: Fleet) -> None:
    for name in (*AGENTS, *EXECUTORS):
        fleet.replace(name, "old")
    with Load(settings, events_per_s=RATE, sessions=40, pages=6) as application:
        progressed(application, "the old release works")
        for name in (*AGENTS, *EXECUTORS):
            fleet.replace(name, "new")
            progressed(application, f"{name} is upgraded")
        for name in (*reversed(EXECUTORS), *reversed(AGENTS)):
            fleet.replace(name, "old")
            progressed(application, f"{name} is rolled back")
    application.flush()
    wait_until_processed(settings)
    wait_until(lambda: all(row.records == 0 for row in measure_lag(settings)), "every command has its result")
    wait_until_processed(settings)

    expected = assert_equals_fold(settings)
    issued = Counter(
        decode_command(each.value()).id for each in read_topic(settings, Topology(settings.namespace).commands)
    )
    run = Counter(fleet.runs.read_text().splitlines())
    assert read_topic(settings, Topology(settings.namespace).dead_letters) == []
    assert set(issued.values()) == {1}
    assert run.keys() == issued.keys(), "every command has run, and nothing else"
    assert issued.keys() <= finished(settings)
    print(  # noqa: T201  # docs/operations/upgrades.md has these figures
        f"{expected.events} events, {len(issued)} commands, {run.total() - len(run)} tasks run twice"
    )


def progressed(application: Application, what: str) -> None:
    """Waits until the load has gone on for a while."""
    before = application.published
    wait_until(lambda: application.published > before + RATE, what)


def finished(settings: Settings) -> set[str]:
    """Returns the ids of the attempts that have a result."""
    decoder = EventDecoder(settings.max_payload_bytes)
    ids = set()
    for message in read_topic(settings, Topology(settings.namespace).events):
        event = decoder.decode(message.value(), None, message.offset() or 0, message.timestamp()[1])
        if isinstance(event, TaskFinished):
            ids.add(f"{(message.key() or b'').decode()}/{event.instance}/{event.attempt or 1}")
    return ids


def test_the_kept_code_is_that_of_its_commit() -> None:
    revision = released_code.REVISION.read_text().strip()
    files = released_code.files_of_commit(revision)
    if files is None:
        pytest.skip(f"commit {revision} is not in this clone: `git fetch --unshallow` fetches the history")

    assert released_code.kept_files() == files
