"""Every process of an installation exposes its catalogue, and a real Prometheus alerts on a real fault."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
import yaml
from tests.support.api_server import api_server
from tests.support.celery_process import APP, CeleryProcess, celery_worker
from tests.support.program import Program, environment
from tests.support.prometheus_server import families_of_ours, firing, prometheus, query
from tests.support.questionnaires import Application
from tests.support.scraped import differences, parse, scrape, value_of
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.dev.ports import free_ports
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.telemetry.catalogue import MeasuredProcess, all_families

pytestmark = pytest.mark.broker

MONITORING = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
RULES = {"t_echo": {"after": ["go"], "andEvery": "go", "run": f"{APP}.echo"}}
ALERT = "TriggersCommandsWithoutWorker"


def test_every_process_exposes_exactly_its_catalogue(settings: Settings, tmp_path: Path) -> None:
    with_feed = msgspec.structs.replace(settings, decisions=True)
    create_topics(with_feed)
    celery_port, api_port, console_port, hooks_port = free_ports(4)
    hooks = CeleryProcess(with_feed, "hooks", "tests.support.hook_program", TRIGGERS_METRICS_PORT=str(hooks_port))
    hooks.notes_file.touch()

    with (
        WorkerProcess(with_feed, "w0") as worker,
        _celery(with_feed, celery_port) as celery,
        api_server(with_feed, _folder(tmp_path, "api"), TRIGGERS_METRICS_PORT=str(api_port)),
        _console(with_feed, _folder(tmp_path, "console"), console_port),
        hooks,
    ):
        worker.wait_ready()
        celery.wait_ready()
        _fire(with_feed, "s1")
        _wait_until_finished(celery_port, 1)
        wait_until(lambda: value_of(_agent(worker), "triggers_instances", status="finished") == 1, "a counted instance")
        wait_until(lambda: _listens(hooks_port), f"the hooks serve metrics; see {hooks.log}")
        wait_until(lambda: bool(scrape(api_port)["triggers_group_lag_offsets"].samples), "the lag of the groups")
        exposed = {
            MeasuredProcess.AGENT: _agent(worker),
            MeasuredProcess.CELERY_WORKER: scrape(celery_port),
            MeasuredProcess.API: scrape(api_port),
            MeasuredProcess.CONSOLE: scrape(console_port),
            MeasuredProcess.HOOKS: scrape(hooks_port),
        }

    assert {process: differences(process, families) for process, families in exposed.items()} == {
        process: [] for process in exposed
    }


def test_an_alert_fires_when_the_celery_worker_is_killed_and_is_resolved_by_the_next_one(
    settings: Settings, tmp_path: Path
) -> None:
    create_topics(settings)
    celery_port, api_port = free_ports(2)
    with (
        WorkerProcess(settings, "w0") as worker,
        _celery(settings, celery_port) as celery,
        api_server(settings, _folder(tmp_path, "api"), TRIGGERS_METRICS_PORT=str(api_port)),
    ):
        worker.wait_ready()
        celery.wait_ready()
        jobs = {"agent": urlsplit(worker.url or "").port or 0, "celery": celery_port, "api": api_port}
        with _prometheus(tmp_path, jobs) as url:
            _fire(settings, "s1")
            _wait_until_finished(celery_port, 1)
            wait_until(lambda: bool(query(url, "triggers_group_lag_offsets")), "Prometheus knows the lag")
            before = firing(url)

            celery.kill()
            _fire(settings, "s2")
            wait_until(lambda: ALERT in firing(url), f"{ALERT} fires")

            celery.start()
            wait_until(lambda: ALERT not in firing(url), f"{ALERT} is resolved")
            families = families_of_ours(url)

    assert ALERT not in before
    assert len(families) > 30
    assert families - all_families().keys() == set()


@contextmanager
def _prometheus(folder: Path, jobs: dict[str, int]) -> Iterator[str]:
    """Runs Prometheus with the rules of `deploy/monitoring`, whose alerts fire after a second. Yields its URL."""
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {"job_name": f"triggers-{job}", "static_configs": [{"targets": [f"127.0.0.1:{at}"]}]}
            for job, at in jobs.items()
        ],
    }
    rules = re.sub(r"for: \w+", "for: 1s", (MONITORING / "rules.yml").read_text())
    (folder / "rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with prometheus(folder / "prometheus.yml", folder) as url:
        yield url


def _celery(settings: Settings, port: int) -> CeleryProcess:
    return celery_worker(settings, "--pool=prefork", "-c1", TRIGGERS_METRICS_PORT=str(port))


@contextmanager
def _console(settings: Settings, folder: Path, port: int) -> Iterator[None]:
    variables = environment(settings, TRIGGERS_METRICS_PORT=str(port))
    with Program(folder, "console", "--port", "0", env=variables) as program:
        program.wait_for("Console at ")
        (url,) = re.findall(r"http://\S+:\d+/", program.text)
        assert httpx.get(url, timeout=30).is_success
        yield


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def _agent(worker: WorkerProcess) -> dict[str, Any]:
    return dict(parse(worker.raw("/metrics").decode()))


def _fire(settings: Settings, session: str) -> None:
    application = Application(settings)
    application.fire(session, {"configuration": RULES})
    application.fire(session, {"trigger": "go"})
    application.flush()


def _wait_until_finished(port: int, runs: int) -> None:
    name = "triggers_celery_runs_finished_total"
    wait_until(lambda: value_of(scrape(port), name, task=f"{APP}.echo") == runs, f"{runs} finished runs")
