"""Every internal name of Celery that the integration uses exists, and another version of Celery is refused."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from types import ModuleType

import celery
import pytest
from celery.worker import state
from celery.worker.request import Request
from packaging.requirements import Requirement

from triggers.celery import celery_private
from triggers.celery.celery_private import UnsupportedCelery, check_celery

NAMES = [(owner, name) for owner, names in celery_private._NAMES.items() for name in names]


@pytest.mark.parametrize(("owner", "name"), NAMES, ids=[f"{owner.__name__}.{name}" for owner, name in NAMES])
def test_the_name_exists(owner: type | ModuleType, name: str) -> None:
    assert inspect.getattr_static(owner, name, NAMES) is not NAMES


def test_this_celery_is_supported() -> None:
    check_celery()


@pytest.mark.parametrize("minor", [3, 8])
def test_another_minor_version_is_refused(monkeypatch: pytest.MonkeyPatch, minor: int) -> None:
    monkeypatch.setattr(celery, "VERSION", celery.VERSION._replace(minor=minor))

    with pytest.raises(UnsupportedCelery, match=r"5\.4 to 5\.7 is required"):
        check_celery()


def test_the_package_requires_the_supported_versions() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    (requirement,) = (
        each for each in map(Requirement, project["optional-dependencies"]["celery"]) if each.name == "celery"
    )

    accepted = [minor for minor in range(20) if requirement.specifier.contains(f"5.{minor}.1")]

    assert [(5, minor) for minor in accepted] == list(celery_private.SUPPORTED)


def test_a_missing_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Request, "_announce_revoked")

    with pytest.raises(UnsupportedCelery, match=r"Request\._announce_revoked"):
        check_celery()


def test_an_exit_code_stops_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "should_stop", 74)

    with pytest.raises(SystemExit) as stopped:
        state.maybe_shutdown()

    assert stopped.value.code == 74


def test_a_request_keeps_attributes_of_a_subclass() -> None:
    assert "__dict__" in Request.__slots__
