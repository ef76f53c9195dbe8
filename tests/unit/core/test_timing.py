"""When a delay is over, which failures are tried again, and when."""

from __future__ import annotations

import pytest

from triggers.core.edition_2_rule import Delay, Retry
from triggers.core.timer_kinds import TIMER_ORDER
from triggers.core.timing import delay_due, is_retried, retry_wait


def test_timers_that_are_due_together_come_in_the_order_of_their_kinds() -> None:
    assert list(TIMER_ORDER) == ["delay", "retry", "cooldown", "scheduled", "running", "deadline"]


def test_a_delay_that_restarts_never_goes_beyond_its_at_most() -> None:
    delay = Delay(wait=10_000, restart=True, at_most=25_000)

    assert [delay_due(delay, clock, 1_000) for clock in (1_000, 9_000, 20_000)] == [11_000, 19_000, 26_000]
    assert delay_due(Delay(wait=10_000, restart=True), 90_000, 1_000) == 100_000


@pytest.mark.parametrize(
    ("retry", "kind", "retried"),
    [
        (Retry(attempts=2), "app.errors.Timeout", True),
        (Retry(attempts=2, on=("Timeout",)), "app.errors.Timeout", True),
        (Retry(attempts=2, on=("app.errors.Timeout",)), "app.errors.Timeout", True),
        (Retry(attempts=2, on=("errors.Timeout",)), "app.errors.Timeout", False),
        (Retry(attempts=2, on=()), "app.errors.Timeout", False),
        (Retry(attempts=2, on=("Timeout",), except_=("app.errors.Timeout",)), "app.errors.Timeout", False),
        (Retry(attempts=2, except_=("Timeout",)), "builtins.ValueError", True),
    ],
)
def test_a_failure_is_tried_again_if_on_has_its_type_and_except_has_not(retry: Retry, kind: str, retried: bool) -> None:
    assert is_retried(retry, kind) is retried


def test_a_retry_waits_longer_each_time_until_its_most() -> None:
    retry = Retry(attempts=9, wait=1_000, backoff=3, max_wait=10_000, jitter=0)

    assert [retry_wait(retry, "s", "t#0", attempt) for attempt in range(1, 5)] == [1_000, 3_000, 9_000, 10_000]


def test_a_wait_that_overflows_is_the_most() -> None:
    assert retry_wait(Retry(attempts=999, backoff=1e6, jitter=0), "s", "t#0", 999) == 3_600_000


def test_jitter_is_a_function_of_session_instance_and_attempt() -> None:
    retry = Retry(attempts=3, wait=10_000, jitter=0.1)
    waits = {retry_wait(retry, uid, name, 1) for uid in ("main", "other") for name in ("t_a#0", "t_a#1")}

    assert len(waits) == 4
    assert all(9_000 <= wait <= 11_000 for wait in waits)
    assert retry_wait(retry, "main", "t_a#0", 1) == 9_938


def test_a_wait_that_jitter_lengthens_may_be_longer_than_the_most() -> None:
    waits = [retry_wait(Retry(attempts=9, wait=1_000, max_wait=1_000, jitter=1), "s", "t#0", k) for k in range(1, 9)]

    assert max(waits) > 1_000 > min(waits)
