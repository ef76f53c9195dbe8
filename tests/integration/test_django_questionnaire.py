"""examples/django_questionnaire on Redis and on Kafka: only the settings differ, and the database ends up the same."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.celery_process import CeleryProcess
from tests.support.program import environment
from tests.support.redis_server import RedisServer
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
QUERIES = {
    "subjects": "select name from django_questionnaire_subject order by id",
    "responses": "select subject_id, page, answer from django_questionnaire_response order by 1, 2",
    "browsers": "select subject_id, family from django_questionnaire_browser",
}


@pytest.fixture(params=["cache", "stream"])
def site(
    request: pytest.FixtureRequest, redis: RedisServer, settings: Settings, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """The environment of the application's processes, whose services run."""
    variables = {
        "TRIGGER_STORAGE_TYPE": request.param,
        "REDIS_URL": redis.url,
        "QUESTIONNAIRE_DATABASE": str(tmp_path / "db.sqlite3"),
        "TRIGGER_RULES_FILE": str(tmp_path / "published-rules.jsonl"),
        "DJANGO_SETTINGS_MODULE": "django_questionnaire.settings",
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(ROOT)]),
    }
    run(variables, settings, "django", "migrate", "--run-syncdb", "--verbosity=0")
    create_topics(settings)
    assert "published version 1" in run(variables, settings, "django", "publish_rules")
    assert "have not changed" in run(variables, settings, "django", "publish_rules")
    celery = ("celery", "-A", "django_questionnaire.celery", "worker", "--concurrency=1", "--loglevel=INFO")
    with WorkerProcess(settings, "w0") as worker, CeleryProcess(settings, "celery", *celery, **variables) as tasks:
        worker.wait_ready()
        wait_until(lambda: " ready." in tasks.log_text(), f"Celery is ready; see {tasks.log}")
        yield variables


def run(site: dict[str, str], settings: Settings, *module: str) -> str:
    """Runs a program of the application and returns what it prints."""
    variables = environment(settings) | site
    done = subprocess.run([sys.executable, "-m", *module], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def database(site: dict[str, str]) -> dict[str, list[Any]]:
    with sqlite3.connect(site["QUESTIONNAIRE_DATABASE"]) as connection:
        return {what: connection.execute(query).fetchall() for what, query in QUERIES.items()}


def test_the_application_runs_on_redis_and_on_kafka(site: dict[str, str], settings: Settings) -> None:
    first, second = json.loads(run(site, settings, "tests.support.questionnaire_visit", "visit"))

    wait_until(
        lambda: [len(rows) for rows in database(site).values()] == [2, 5, 1], f"all is imported: {database(site)}"
    )

    rows = database(site)
    numbers = {name: number for number, (name,) in enumerate(rows["subjects"], 1)}
    assert numbers.keys() == {"Ada 1"}
    assert sorted(page for _, page, _ in rows["responses"]) == [1, 1, 2, 2, 3]
    progress = ("tests.support.questionnaire_visit", "progress", str(first), str(second))
    wait_until(lambda: json.loads(run(site, settings, *progress)) == [[], []], "nothing is left to do")
