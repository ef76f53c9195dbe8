from __future__ import annotations

import pytest

from triggers.agent.consumer.pace import Pace


def pace(*, interval_s: float = 0.0, linger_s: float = 0.0) -> Pace:
    return Pace(idle_s=0.1, interval_s=interval_s, linger_s=linger_s)


def test_the_first_transaction_waits_for_nothing() -> None:
    assert pace(interval_s=0.01).earliest < 0.0


def test_a_transaction_begins_at_least_an_interval_after_the_one_before_it_began() -> None:
    waits = pace(interval_s=0.01)

    waits.begin_transaction(5.0)

    assert waits.earliest == pytest.approx(5.01)


def test_a_batch_is_kept_from_its_first_decision_on_however_often_others_are_added() -> None:
    waits = pace(linger_s=0.05)

    waits.keep(5.0)
    waits.keep(5.04)

    assert waits.remaining_s(5.04) == pytest.approx(0.01)
    assert waits.remaining_s(5.06) == 0.0


def test_nothing_is_kept_without_a_linger() -> None:
    waits = pace()

    waits.keep(5.0)

    assert waits.remaining_s(5.0) == 0.0


@pytest.mark.parametrize("ending", ["begin_transaction", "drop"])
def test_a_batch_after_a_transaction_or_a_loss_has_a_time_of_its_own(ending: str) -> None:
    waits = pace(linger_s=0.05)
    waits.keep(5.0)

    if ending == "drop":
        waits.drop()
    else:
        waits.begin_transaction(5.04)
    waits.keep(5.04)

    assert waits.remaining_s(5.05) == pytest.approx(0.04)
