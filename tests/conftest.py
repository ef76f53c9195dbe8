"""Fixtures of all tests: one real broker for all processes of a run, and a namespace for every test."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from celery import signals
from celery.utils.dispatch import Signal
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from tests.support.histories import reproduced
from tests.support.kept_consumers import close_consumers
from tests.support.left_processes import MARK, wait_until_none_is_left
from tests.support.redis_server import RedisServer
from tests.support.shared_broker import shared_broker
from tests.support.side_by_side import SideBySide

from triggers.celery import installation
from triggers.dev.broker import Broker, new_broker, running_broker
from triggers.errors import SettingsError
from triggers.settings import Settings

# No deadline, because a busy machine is not a defect. CI uses the same examples in every run, so that a failure is
# caused by the commit.
hypothesis_settings.register_profile(
    "triggers", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
hypothesis_settings.load_profile("triggers")

CELERY_SIGNALS = [signal for signal in vars(signals).values() if isinstance(signal, Signal)]


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Fails the run if a process that a test has started is still running at the end."""
    run = os.environ[MARK] = uuid.uuid4().hex
    yield
    wait_until_none_is_left(run)


@pytest.fixture(scope="session")
def broker(
    no_process_is_left: None,  # noqa: ARG001  # its check must follow the broker's end
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[str]:
    """The address of a real Kafka. `TRIGGERS_TEST_BROKERS` can name a running one.

    On a machine that cannot run one these tests are skipped, or fail in CI.
    """
    if given := os.environ.get("TRIGGERS_TEST_BROKERS"):
        yield given
        return
    try:
        with _one_broker(tmp_path_factory, pytestconfig) as address:
            yield address
    except SettingsError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _one_broker(tmp_path_factory: pytest.TempPathFactory, config: pytest.Config) -> AbstractContextManager[str]:
    """Returns the context of the run's broker. The folders of xdist's processes are below that of the run."""
    is_one_of_several = hasattr(config, "workerinput")
    return shared_broker(tmp_path_factory.getbasetemp().parent) if is_one_of_several else running_broker()


@pytest.fixture(autouse=True)
def celery_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undoes `install()`, which connects receivers to Celery's signals for all apps of the process.

    Otherwise a later test that runs a task would publish its result, and would wait for a broker forever.
    """
    monkeypatch.setattr(installation, "_installed", [])
    receivers = [(signal, list(signal.receivers)) for signal in CELERY_SIGNALS]
    yield
    for signal, connected in receivers:
        signal.receivers = connected
        signal.sender_receivers_cache.clear()


@pytest.fixture(autouse=True)
def consumers_end_with_the_test() -> Iterator[None]:
    yield
    close_consumers()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for each test. Without one on the machine, the test is skipped, or fails in CI."""
    try:
        server = RedisServer(tmp_path / "redis")
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_broker(broker: str) -> Iterator[Broker]:
    """A running Kafka for one test, which can kill it and start it again.

    It depends on the shared one, so that only one process of the run downloads Kafka, and because the machine may not
    be able to run any.
    """
    assert broker
    own = new_broker()
    own.start()
    yield own
    own.stop()


@pytest.fixture(scope="session")
def django() -> None:
    """Sets up Django with tests/support/django_settings.py."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.django_settings"
    import_module("django").setup()


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def settings(broker: str, namespace: str, tmp_path: Path) -> Settings:
    """Settings of an installation on the broker that belongs to the test."""
    return Settings(
        brokers=broker,
        namespace=namespace,
        partitions=4,
        data_dir=tmp_path / "data",
        web_port=0,
        session_timeout_s=6.0,
        read_timeout_s=60.0,
        publish_timeout_s=60.0,
    )


def pytest_collection_finish() -> None:
    """Excludes the collected tests and the imported libraries from later garbage collections, as they never end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts the longest tests first, so that at the end no process waits for another's long test."""
    items.sort(key=_longest_first)


def _longest_first(item: pytest.Item) -> tuple[float, bool]:
    limit = item.get_closest_marker("timeout")
    return -(limit.args[0] if limit else 0), item.get_closest_marker("broker") is None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of xdist, passes the counts to the process that prints."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["reproduced"] = dict(reproduced)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide:  # noqa: ANN401  # xdist has no types
    """Schedules tests in our order rather than the largest file first."""
    config.option.loadscopereorder = False
    return SideBySide(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401  # xdist has no types
    """Adds the counts of a process of xdist."""
    reproduced.update(getattr(node, "workeroutput", {}).get("reproduced", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how many recorded histories this run has reproduced."""
    for driver, count in reproduced.items():
        terminalreporter.write_line(f"recorded histories reproduced through {driver}: {count:,}")
