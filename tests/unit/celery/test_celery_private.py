"""Every internal name of Celery that the integration uses exists, and another version of Celery is refused."""

from __future__ import annotations

import inspect
from types import ModuleType

import celery
import pytest
from celery.worker import state
from celery.worker.request import Request

from triggers.celery import celery_private
from triggers.celery.celery_private import UnsupportedCelery, check_celery

NAMES = [(owner, name) for owner, names in celery_private._NAMES.items() for name in names]


@pytest.mark.parametrize(("owner", "name"), NAMES, ids=[f"{owner.__name__}.{name}" for owner, name in NAMES])
def test_the_name_exists(owner: type | ModuleType, name: str) -> None:
    assert inspect.getattr_static(owner, name, NAMES) is not NAMES


def test_this_celery_is_supported() -> None:
    check_celery()


def test_another_minor_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "VERSION", celery.VERSION._replace(minor=8))

    with pytest.raises(UnsupportedCelery, match=r"5\.7\.x is required"):
        check_celery()


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
