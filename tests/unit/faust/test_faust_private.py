from __future__ import annotations

import faust
import pytest

from triggers.faust.faust_private import check_faust
from triggers.process.exits import ExitCode, Stop


def test_the_installed_faust_has_every_name_that_the_worker_uses() -> None:
    check_faust()


def test_another_version_of_faust_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faust, "__version__", "0.16.0")

    with pytest.raises(Stop, match=r"Faust 0\.16\.0 is installed, 0\.15\.3 is needed") as stopped:
        check_faust()

    assert stopped.value.code is ExitCode.MISFIT


def test_a_missing_private_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("faust.tables.recovery.Recovery._restart_recovery")

    with pytest.raises(Stop, match=r"this Faust has no Recovery\._restart_recovery"):
        check_faust()
