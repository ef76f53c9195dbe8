"""`triggers dev` notices that its broker has died."""

from __future__ import annotations

import io

from triggers.cli.dev import _restart_broker
from triggers.dev.child_process import Relay


class MortalBroker:
    """A broker that dies when the test says so."""

    address = "127.0.0.1:9092"
    kind = "a broker of the test"

    def __init__(self) -> None:
        self.is_running = False
        self.starts = 0

    def start(self) -> None:
        self.is_running = True
        self.starts += 1

    def kill(self) -> None:
        self.is_running = False

    def restart(self) -> None:
        self.kill()
        self.start()

    def has_died(self) -> bool:
        return self.starts > 0 and not self.is_running

    def stop(self) -> None:
        self.kill()


def test_a_broker_that_died_is_started_again_and_the_terminal_says_so() -> None:
    broker, out = MortalBroker(), io.StringIO()
    broker.start()
    _restart_broker(broker, Relay(out))
    assert (broker.starts, out.getvalue()) == (1, "")

    broker.kill()
    _restart_broker(broker, Relay(out))

    assert (broker.starts, broker.is_running) == (2, True)
    assert "a broker of the test has ended; starting it again with its data" in out.getvalue()


def test_a_broker_of_somebody_else_is_left_alone() -> None:
    out = io.StringIO()

    _restart_broker(None, Relay(out))

    assert out.getvalue() == ""
