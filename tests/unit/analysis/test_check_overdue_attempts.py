"""Orders of edition 2 in which attempts are overdue, and in which idle sessions are deleted."""

from __future__ import annotations

from tests.support.checked_orders import findings, orders, outcomes, task


def test_an_attempt_may_begin_and_be_overdue() -> None:
    slow = task("page", timeouts={"running": "20s", "attempts": 2})
    rules = {"t_slow": slow, "t_a": task("page", unless=["t_slow"], delay="10s")}

    found = orders(rules)

    assert outcomes(found) == [(0, 1)]
    assert outcomes(found.timed) == [(0, 1), (1, 2)]
    assert found.timed is not None
    assert found.timed.outcomes[0].example == [
        "page",
        "t_slow begins and does not end",
        "delay of t_a is due",
        "running of t_slow is due",
        "t_slow finishes",
    ]


def test_an_attempt_that_nobody_takes_is_overdue_as_well() -> None:
    lost = task("page", timeouts={"scheduled": "5s", "attempts": 1})

    found = orders({"t_lost": lost, "t_a": task("t_lost:failed")})

    assert found.timed is not None
    assert ["page", "t_lost is not begun", "scheduled of t_lost is due"] in [
        one.example for one in found.timed.outcomes
    ]


def test_attempts_do_not_stall_if_nothing_waits_for_their_task() -> None:
    found = orders({"t_a": task("page", timeouts={"running": "20s"}, delay="1s")})

    assert outcomes(found.timed) == [(1, 1)]


def test_a_session_is_deleted_before_a_delay_that_is_longer_than_its_ttl() -> None:
    rules = {"$limits": {"sessionTtl": "1m"}, "t_a": task("page", delay="15m"), "t_b": task("page", delay="30s")}

    assert outcomes(orders(rules).timed) == [(0, 1)]
    assert outcomes(orders(rules, "t_b").timed) == [(1, 1)]
    assert ("never-runs", "t_a") in findings(rules)


def test_a_session_may_be_deleted_between_two_events() -> None:
    found = orders({"$limits": {"sessionTtl": "1m"}, "t_a": task("page", "subject")}).timed

    assert found is not None
    assert outcomes(found) == [(0, 2), (1, 2)]
    assert found.witnesses is None
    assert (
        next(one.example[1] for one in found.outcomes if not one.runs)
        == "the session is deleted after 1m without events"
    )
