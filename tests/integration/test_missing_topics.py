"""Every command says at once that the topics are missing, and how to create them, on a broker that has none."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner
from tests.support.kafka_commands import ON_TOPICS

from triggers.cli import main
from triggers.settings import Settings

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("name", ON_TOPICS)
def test_missing_topics_are_named_with_the_command_that_creates_them(settings: Settings, name: str) -> None:
    connection = ["--brokers", settings.brokers, "--namespace", settings.namespace]
    started = time.monotonic()

    done = CliRunner().invoke(main, [*connection, *ON_TOPICS[name]], input='{"session": "s", "trigger": "a"}\n')

    assert done.exit_code == 4, done.output
    assert f"has no topic {settings.namespace}." in done.stderr
    assert "run `triggers topics create`" in done.stderr
    assert done.stdout == ""
    assert time.monotonic() - started < 20, "and not only after the time limit of a read or of publishing"
