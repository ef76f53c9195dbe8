from __future__ import annotations

import faust
import pytest
from faust.transport.consumer import Consumer

from triggers.agent.faust.faust_private import check_faust
from triggers.agent.faust.inert import InertConsumer
from triggers.agent.faust.transport import AgentConsumer
from triggers.process.exits import ExitCode, Stop


def test_the_installed_faust_has_every_name_that_the_worker_uses() -> None:
    check_faust()


def test_another_version_of_faust_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faust, "__version__", "0.16.0")

    with pytest.raises(Stop, match=r"Faust 0\.16\.0 is installed, but 0\.15\.3 is needed") as stopped:
        check_faust()

    assert stopped.value.code is ExitCode.MISFIT


def test_a_missing_private_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("faust.tables.recovery.Recovery._restart_recovery")

    with pytest.raises(Stop, match=r"lacks Recovery\._restart_recovery"):
        check_faust()


def test_the_consumer_answers_every_abstract_method_of_faust() -> None:
    assert not AgentConsumer.__abstractmethods__


def test_the_inert_consumer_overrides_nothing_but_methods_of_faust() -> None:
    methods = [name for name in vars(InertConsumer) if not name.startswith("__") and name != "logger"]

    assert "_commit_handler" in methods
    assert [name for name in methods if not hasattr(Consumer, name)] == []
