"""One secured broker for all tests of this folder, which therefore run in one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.secured_kafka import SecuredKafka, SettingsFor

from triggers.errors import SettingsError


@pytest.fixture(scope="session")
def secured(no_process_is_left: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:  # noqa: ARG001  # its check must follow the broker's end
    """A running broker that only answers to users, and permits only what its ACLs say."""
    try:
        kafka = SecuredKafka(tmp_path_factory.mktemp("secured"))
    except (FileNotFoundError, SettingsError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def settings_for(secured: SecuredKafka, namespace: str, tmp_path: Path) -> SettingsFor:
    """Returns the settings with which a user connects by SCRAM over TLS, in the namespace of the test."""

    return lambda user: secured.settings(user, namespace, tmp_path)
