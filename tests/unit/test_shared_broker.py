"""Several test processes share one broker. Threads stand in for them, because a lock belongs to an open file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.shared_broker import shared_broker
from tests.support.topic_reader import wait_until


class Brokers:
    """Counts the brokers that are running."""

    def __init__(self) -> None:
        self.started = 0
        self.running = 0

    @contextmanager
    def start(self) -> Iterator[str]:
        self.started += 1
        self.running += 1
        yield f"broker-{self.started}"
        self.running -= 1


def test_all_processes_use_the_broker_that_the_first_has_started(tmp_path: Path) -> None:
    brokers, together = Brokers(), threading.Barrier(8)

    def use(_: int) -> tuple[str, int]:
        with shared_broker(tmp_path, brokers.start) as address:
            together.wait(60)
            return address, brokers.running

    with ThreadPoolExecutor(8) as processes:
        addresses = set(processes.map(use, range(8)))

    assert addresses == {("broker-1", 1)}
    assert brokers.running == 0


def test_the_process_that_started_the_broker_stops_it_after_the_last_user(tmp_path: Path) -> None:
    brokers, has_started, is_done = Brokers(), threading.Event(), threading.Event()

    def start_and_leave() -> None:
        with shared_broker(tmp_path, brokers.start):
            has_started.set()
            is_done.wait(60)

    first = threading.Thread(target=start_and_leave)
    first.start()
    assert has_started.wait(60)
    with shared_broker(tmp_path, brokers.start):
        is_done.set()
        first.join(0.5)
        assert first.is_alive()
        assert brokers.running == 1

    wait_until(lambda: not first.is_alive(), "the first has ended")
    assert brokers.running == 0


def test_a_later_process_starts_another_broker(tmp_path: Path) -> None:
    brokers = Brokers()
    with shared_broker(tmp_path, brokers.start) as first:
        pass

    with shared_broker(tmp_path, brokers.start) as second:
        pass

    assert (first, second) == ("broker-1", "broker-2")


def test_every_process_raises_if_no_broker_can_start(tmp_path: Path) -> None:
    @contextmanager
    def fail() -> Iterator[str]:
        raise RuntimeError("no Java")
        yield ""

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no Java"), shared_broker(tmp_path, fail):
            pass
