from __future__ import annotations

import threading

import pytest

from triggers.kafka.bounded_call import CallHung, call_within


def test_the_result_of_the_call_is_returned() -> None:
    assert call_within(5, lambda: 6 * 7) == 42


def test_an_exception_of_the_call_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        call_within(5, lambda: 1 // 0)


def test_a_call_that_hangs_does_not_keep_the_process_alive() -> None:
    release = threading.Event()

    with pytest.raises(CallHung):
        call_within(0.01, release.wait)

    (thread,) = [thread for thread in threading.enumerate() if thread.name == "bounded-call"]
    assert thread.daemon
    release.set()
    thread.join()
