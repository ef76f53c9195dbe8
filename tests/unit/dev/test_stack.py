"""The processes of a development stack: restarted, given up, replaced."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.topic_reader import wait_until

from triggers.celery.app_check import describe_fault
from triggers.dev.celery_workers import CeleryWorkers, find_fault
from triggers.dev.child_process import Relay
from triggers.dev.code_watch import CodeWatch
from triggers.dev.stack import Service, Stack, celery_service, environment, queues_of
from triggers.settings import Settings

INSTALLED = """
import celery, triggers.celery
app = celery.Celery("shop", broker="none://")
triggers.celery.install(app)
"""


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stack(out: io.StringIO) -> Iterator[Stack]:
    stack = Stack(Relay(out))
    yield stack
    stack.stop()


def python(name: str, code: str) -> Service:
    return Service(name, [sys.executable, "-c", code])


def watched(stack: Stack, is_done: Callable[[], bool]) -> Callable[[], bool]:
    def look() -> bool:
        stack.watch()
        return is_done()

    return look


def test_a_process_that_dies_at_once_again_and_again_stays_down(
    stack: Stack, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the machine is."""
    monkeypatch.setattr("triggers.dev.stack._SHORT_LIFE_S", 1e9)
    stack.start(python("broken", "raise SystemExit(3)"))

    wait_until(watched(stack, lambda: "stays down" in out.getvalue()), "it is given up")

    assert out.getvalue().count("restarting it") == 4
    assert "ended with code 3, 5 times" in out.getvalue()


def test_an_exit_code_that_a_restart_cannot_help_ends_it_at_once(stack: Stack, out: io.StringIO) -> None:
    stack.start(python("worker-0", "raise SystemExit(78)"))

    wait_until(watched(stack, lambda: "a restart cannot fix" in out.getvalue()), "it is given up")

    assert "restarting" not in out.getvalue()


def test_replaced_services_end_before_the_new_ones_start(stack: Stack) -> None:
    stack.start(python("a", "import time; time.sleep(1000)"))
    stack.start(python("b", "import time; time.sleep(1000)"))
    first, other = (service.process for service in stack.services)

    stack.replace(["a"], [python("a", "import time; time.sleep(1000)")])

    assert first is not None
    assert other is not None
    assert (first.poll() is None, other.poll() is None) == (False, True)
    assert [service.name for service in stack.services] == ["b", "a"]


def test_an_app_that_cannot_run_commands_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "without.py").write_text("import celery; app = celery.Celery('shop', broker='none://')")
    (tmp_path / "raises.py").write_text("1 / 0")
    (tmp_path / "exits.py").write_text("raise SystemExit('no redis://:s3cr3t@h')")
    (tmp_path / "away.py").write_text("raise ConnectionError('cannot reach redis://:s3cr3t@h:6379/0')")
    (tmp_path / "shop.py").write_text(INSTALLED)

    faults = {name: find_fault(name, {}, tmp_path) for name in ("typo", "without", "raises", "exits", "away", "shop")}

    assert "No module named 'typo'" in faults["typo"]
    assert "call triggers.celery.install(app)" in faults["without"]
    assert "ZeroDivisionError" in faults["raises"]
    assert faults["exits"] == "no redis://***@h"
    assert faults["away"] == "-A away: ConnectionError: cannot reach redis://***@h:6379/0"
    assert faults["shop"] == ""
    assert not any("\n" in fault for fault in faults.values())


def test_workers_start_when_the_app_is_corrected(
    stack: Stack, out: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the app is this process's, and the worker only sleeps, because a real one needs a broker."""
    monkeypatch.setattr("triggers.dev.code_watch._SHARE", 1e9)
    monkeypatch.setattr("triggers.dev.celery_workers.CodeWatch", lambda folder: CodeWatch(folder, every_s=0))
    monkeypatch.setattr(
        "triggers.dev.celery_workers.find_fault",
        lambda _app, _env, folder: "" if "install" in (folder / "shop.py").read_text() else "no install()",
    )
    monkeypatch.setattr(
        "triggers.dev.celery_workers.celery_service",
        lambda *_: python("celery-0", "import time; time.sleep(1000)"),
    )
    (tmp_path / "shop.py").write_text("app = 1")
    workers = CeleryWorkers(stack, Relay(out), Settings(), ["shop"], count=1, env={}, folder=tmp_path)
    workers.start()
    assert stack.services == []
    assert "no install(); waiting for a change" in out.getvalue()

    (tmp_path / "shop.py").write_text(INSTALLED)
    workers.reload()

    assert [service.name for service in stack.services] == ["celery-0"]
    assert "shop.py changed; starting again" in out.getvalue()


def test_only_code_of_the_application_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triggers.dev.code_watch._SHARE", 1e9)
    watch = CodeWatch(tmp_path, every_s=0)
    for folder in ("shop", ".hidden", "node_modules", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "notes.txt").write_text("")

    assert watch.changed() == ["shop/a.py"]
    assert watch.changed() == []
    (tmp_path / "shop" / "a.py").write_text("x = 1")
    assert watch.changed() == ["shop/a.py"]
    (tmp_path / "shop" / "a.py").unlink()
    assert watch.changed() == ["shop/a.py"]


def test_celery_says_neither_its_banner_nor_that_it_runs_as_root(tmp_path: Path) -> None:
    command = [str(part) for part in celery_service(Settings(), "shop", "celery-0", {}, tmp_path).command]

    assert "--quiet" in command
    assert "superuser" in command[command.index("-W") + 1]


def test_a_fault_is_found_in_this_process_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    assert "No module named 'typo_of_an_app'" in describe_fault("typo_of_an_app")


def test_each_of_several_apps_has_workers_of_its_own(
    stack: Stack, out: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that cannot run commands does not keep the others from running theirs."""
    monkeypatch.setattr("triggers.dev.celery_workers.find_fault", lambda app, *_: "no install()" * (app == "mail"))
    monkeypatch.setattr(
        "triggers.dev.celery_workers.celery_service",
        lambda _settings, _app, name, *_: python(name, "import time; time.sleep(1000)"),
    )
    apps = ["services.billing", "mail", "services.warehouse:app"]

    CeleryWorkers(stack, Relay(out), Settings(), apps, count=2, env={}, folder=tmp_path).start()

    started = [service.name for service in stack.services]
    assert started == [f"services.{name}-{number}" for name in ("billing", "warehouse.app") for number in (0, 1)]
    assert "no install(); waiting for a change" in out.getvalue()


@pytest.mark.parametrize(
    ("rules", "queues"),
    [
        ('{"$edition": 2, "a": {"queue": "mail"}, "b": {"queue": "mail"}, "c": {}}', ["mail"]),
        ('{"a": {"queue": "no such name"}, "b": {"queue": 1}}', []),
        ("[]", []),
        ("{", []),
        ("é", []),
    ],
)
def test_the_queues_of_the_rules_get_topics(tmp_path: Path, rules: str, queues: list[str]) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(rules.encode("latin-1"))

    assert queues_of(file) == queues


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(read_token_file=Path("tokens"), partitions=3, decisions=True)]
)
def test_a_child_process_has_the_settings_of_its_stack(settings: Settings) -> None:
    assert Settings.from_env(environment(settings)) == settings
