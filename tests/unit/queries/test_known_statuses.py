"""A status that nobody knows is refused, so that a misspelt one is not mistaken for a search that finds nothing."""

from __future__ import annotations

import pytest

from triggers.errors import CallError
from triggers.queries import MissingPartition, StatusCount, StatusCounts
from triggers.queries.index_rows import OTHERS
from triggers.queries.known_statuses import STATUSES, check_status


def counts_of(*statuses: str) -> StatusCounts:
    return StatusCounts(counts=[StatusCount(task="t_ship", status=status, instances=1) for status in statuses])


def nobody_counts() -> StatusCounts:
    pytest.fail("counting costs a request to each worker")


@pytest.mark.parametrize("status", [None, *STATUSES])
def test_the_statuses_of_the_framework_are_accepted_without_counting(status: str | None) -> None:
    check_status(status, nobody_counts)


def test_a_status_of_the_application_is_accepted_while_an_instance_has_it() -> None:
    check_status("parked", lambda: counts_of("finished", "parked"))


def test_the_error_names_the_value_and_all_statuses_that_there_are() -> None:
    with pytest.raises(CallError) as error:
        check_status("prked", lambda: counts_of("finished", "parked", "on hold"))

    assert str(error.value) == (
        "status is 'prked', which no instance has; it must be one of unstarted, scheduled, running, finished, failed,"
        " skipped, abandoned, replayed, delayed, expired, cancelled, or one of the application's own: on hold, parked"
    )


@pytest.mark.parametrize(
    "incomplete",
    [
        StatusCounts(counts=[], missing=[MissingPartition(partition=1, reason="it moves")]),
        StatusCounts(counts=[], counting=[2]),
        counts_of(OTHERS),
    ],
)
def test_every_status_is_accepted_while_the_counts_do_not_say_which_there_are(incomplete: StatusCounts) -> None:
    check_status("parked", lambda: incomplete)
