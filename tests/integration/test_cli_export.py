"""`triggers export` and `triggers fire --from` move a log from one installation to another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs
from tests.support.questionnaires import Application, interleaved
from tests.support.topic_setup import create_topics

from triggers.cli import main
from triggers.settings import Settings

pytestmark = pytest.mark.broker


def run(settings: Settings, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["--brokers", settings.brokers, "--namespace", settings.namespace, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def events_of(exported: str) -> dict[str, list[object]]:
    """Returns the events by session, without offsets and timestamps, which belong to the log."""
    sessions: dict[str, list[object]] = {}
    for line in exported.splitlines():
        event = json.loads(line)
        del event["offset"]
        event.pop("recorded", None)
        sessions.setdefault(event.pop("session"), []).append(event)
    return sessions


def test_an_exported_log_fired_elsewhere_is_the_same_log(settings: Settings, tmp_path: Path) -> None:
    elsewhere = structs.replace(settings, namespace=f"{settings.namespace}-2", partitions=2)
    for installation in (settings, elsewhere):
        create_topics(installation)
    application = Application(settings)
    for uid, event in interleaved(sessions=5, pages=3):
        application.fire(uid, event)
    application.flush()
    exported = run(settings, "export")
    file = tmp_path / "events.jsonl"
    file.write_text(exported)

    fired = json.loads(run(elsewhere, "fire", "--from", str(file), "--json"))

    assert fired["triggers"] == len(exported.splitlines()) == application.published
    assert events_of(run(elsewhere, "export")) == events_of(exported)
