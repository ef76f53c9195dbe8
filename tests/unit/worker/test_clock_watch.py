from __future__ import annotations

import pytest

from triggers.process.exits import ExitCode, Stop
from triggers.worker.clock_watch import ClockWatch

NOW = 1_800_000_000.0


def test_a_clock_that_is_set_back_ends_the_worker() -> None:
    watch = ClockWatch(NOW, 100.0)

    with pytest.raises(Stop, match="set back by 3600 s") as stopped:
        watch.check(NOW + 1 - 3600, 101.0)

    assert stopped.value.code is ExitCode.CLOCK


def test_a_clock_that_runs_or_is_set_forward_is_accepted() -> None:
    watch = ClockWatch(NOW, 100.0)

    watch.check(NOW + 1, 101.0)
    watch.check(NOW + 3600, 102.0)
    watch.check(NOW + 3601, 103.0)


def test_small_corrections_do_not_add_up() -> None:
    watch = ClockWatch(NOW, 100.0)

    for second in range(1, 20):
        watch.check(NOW + second - 9 * second, 100.0 + second)


def test_a_machine_that_slept_is_not_taken_for_one_whose_clock_was_set_back() -> None:
    """Linux's monotonic clock stands still meanwhile."""
    watch = ClockWatch(NOW, 100.0)

    watch.check(NOW + 7200, 101.0)
