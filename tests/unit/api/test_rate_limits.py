"""A token bucket for each principal."""

from __future__ import annotations

from triggers.api.rate_limits import RateLimits


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_rate_everything_is_allowed() -> None:
    limits = RateLimits(0)

    assert [limits.take("jane", 0, 10_000) for _ in range(100)] == [0.0] * 100


def test_a_rate_is_refilled_by_time_and_each_principal_has_its_own() -> None:
    clock = Clock()
    limits = RateLimits(2, clock)

    assert [limits.take("jane", 0, 1) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert limits.take("joe", 0, 1) == 0.0
    clock.now = 0.5
    assert [limits.take("jane", 0, 1) for _ in range(2)] == [0.0, 0.5]


def test_a_batch_larger_than_the_bucket_is_let_in_once_and_paid_for_afterwards() -> None:
    clock = Clock()
    limits = RateLimits(0, clock)

    assert limits.take("jane", 10, 100) == 0.0
    assert limits.take("jane", 10, 1) == 9.1
    clock.now = 9.2
    assert limits.take("jane", 10, 1) == 0.0


def test_a_token_of_its_own_rate_does_not_have_the_default_one() -> None:
    limits = RateLimits(1, Clock())

    assert [limits.take("jane", 100, 1) for _ in range(50)] == [0.0] * 50
