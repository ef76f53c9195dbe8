"""The fold of a job's records: each item has one result, whatever is repeated, out of place or unknown."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from triggers.client.letter_query import LetterQuery
from triggers.errors import CallError, IdReused
from triggers.jobs.job import Job
from triggers.jobs.records import (
    Action,
    ItemResult,
    ItemState,
    JobCancelled,
    JobChange,
    JobCreated,
    JobItem,
    JobItems,
    JobPublished,
    JobResults,
    decode_job_record,
    encode_job_record,
    result_option,
)
from triggers.jobs.selection import filter_for, require_same_job
from triggers.jobs.views import view_job
from triggers.queries import SessionQuery

CREATED = JobCreated(
    job="j",
    change=JobChange(action=Action.REPLAY, kwargs={"paid": Raw(b'{"amount":4}')}),
    where=SessionQuery(status="failed", task="t_ship"),
    items=3,
    rate=2.0,
    actor="jane",
)
ITEMS = JobItems(job="j", items=[JobItem(session=f"s{n}", instance="t_ship#0", created=n) for n in range(3)])


@pytest.fixture
def job() -> Job:
    job = Job(CREATED, 10)
    job.apply(ITEMS, 10)
    return job


def result(number: int, state: ItemState, detail: str = "") -> JobResults:
    return JobResults(job="j", results=[ItemResult(item=number, state=state, detail=detail)])


def states(job: Job) -> list[str]:
    return [job.result_of(number).state for number in range(len(job.items))]


def test_a_job_is_finished_when_every_item_has_its_result(job: Job) -> None:
    job.apply(JobPublished(job="j", items=[0, 1]), 20)
    assert (job.first_pending(5), job.unconfirmed(), job.finished) == ([2], [0, 1], 0)

    for each in (result(0, ItemState.APPLIED), result(1, ItemState.REFUSED), result(2, ItemState.OBSOLETE)):
        assert not job.is_finished
        job.apply(each, 30)

    assert states(job) == ["applied", "refused", "obsolete"]
    assert job.counts() == {"pending": 0, "published": 0, "applied": 1, "refused": 1, "obsolete": 1, "cancelled": 0}
    assert (job.is_finished, job.changed, job.first_pending(5)) == (True, 30, [])


def test_the_first_result_of_an_item_counts_and_one_without_an_event_does_not(job: Job) -> None:
    job.apply(result(0, ItemState.APPLIED), 20)
    job.apply(result(99, ItemState.OBSOLETE), 20)
    assert states(job) == ["pending", "pending", "pending"]

    job.apply(JobPublished(job="j", items=[0, 7, -1]), 20)
    job.apply(result(0, ItemState.OBSOLETE, "another run was slower"), 20)
    job.apply(result(0, ItemState.APPLIED, "replayed"), 20)
    job.apply(result(0, ItemState.REFUSED), 20)
    job.apply(JobPublished(job="j", items=[0]), 20)

    assert (states(job), job.result_of(0).detail) == (["applied", "pending", "pending"], "replayed")
    assert sum(job.counts().values()) == len(job.items)


@pytest.mark.parametrize("record", [CREATED, ITEMS, JobPublished(job="j", items=[1]), result(2, ItemState.APPLIED)])
def test_a_record_is_read_as_it_was_written(record: JobCreated | JobItems | JobPublished | JobResults) -> None:
    written = encode_job_record(record)

    read = decode_job_record(written)

    assert read is not None
    assert (type(read), encode_job_record(read)) == (type(record), written)


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b'{"type":"later","job":"j"}', b"[]"])
def test_other_records_than_those_of_jobs_are_ignored(value: bytes | None) -> None:
    assert decode_job_record(value) is None


def test_a_page_of_items_says_where_the_next_one_begins(job: Job) -> None:
    job.apply(JobPublished(job="j", items=[1]), 20)

    first, pending = view_job(job, limit=2), view_job(job, state=ItemState.PENDING, first=1, limit=2)

    assert ([each.item for each in first.items], first.next) == ([0, 1], 2)
    assert ([each.item for each in pending.items], pending.next) == ([2], None)


def test_replaying_and_skipping_mean_failed_instances() -> None:
    assert filter_for(Action.SKIP, SessionQuery(prefix="a")).status == "failed"
    assert filter_for(Action.REPLAY, SessionQuery(status="expired")).status == "expired"
    assert filter_for(Action.DELETE, SessionQuery(prefix="a")) == SessionQuery(prefix="a")


@pytest.mark.parametrize("action", Action)
def test_an_empty_filter_is_refused(action: Action) -> None:
    with pytest.raises(CallError, match="the filter is empty"):
        filter_for(action, SessionQuery())


def test_a_cancellation_ends_what_is_pending_and_nothing_else(job: Job) -> None:
    job.apply(JobPublished(job="j", items=[0]), 20)

    job.apply(JobCancelled(job="j", actor="ada"), 30)
    job.apply(JobPublished(job="j", items=[1]), 40)
    job.apply(result(2, ItemState.OBSOLETE), 40)

    assert states(job) == ["published", "cancelled", "cancelled"]
    assert job.result_of(1).detail == "the job was cancelled by ada"
    assert (job.first_pending(5), job.is_finished) == ([], False)
    job.apply(result(0, ItemState.APPLIED), 50)
    assert job.is_finished


WHERE = SessionQuery(exception="Declined")
SAME_JOB = JobCreated(
    job="j",
    change=JobChange(action=Action.REPLAY, kwargs={"paid": Raw(b'{"eur": 4}')}),
    where=filter_for(Action.REPLAY, WHERE),
    items=3,
    rate=50.0,
)
ADOPTION = JobCreated(
    job="j", change=JobChange(action=Action.ADOPT, rules="orders", version=2), where=WHERE, items=3, rate=50.0
)
LETTER_JOB = JobCreated(
    job="j",
    change=JobChange(action=Action.REDRIVE),
    where=SessionQuery(),
    letters=LetterQuery(reason="bad json"),
    items=3,
    rate=50.0,
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (JobChange(action=Action.REPLAY), {"action": "replay"}),
        (JobChange(action=Action.SKIP, result=result_option(b"{}")), {"action": "skip"}),
        (JobChange(action=Action.SKIP, result=result_option(b'{"n":1}')), {"action": "skip", "result": {"n": 1}}),
    ],
)
def test_a_change_shows_only_the_options_that_are_set(change: JobChange, expected: dict[str, object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(change)) == expected
    assert change.simulated_result == msgspec.json.encode(expected.get("result", {}))


@pytest.mark.parametrize(
    ("created", "change", "query"),
    [
        (SAME_JOB, JobChange(action=Action.REPLAY, kwargs={"paid": Raw(b'{"eur":4}')}), WHERE),
        (SAME_JOB, JobChange(action=Action.REPLAY, kwargs={"paid": Raw(b'{"eur":4}')}), None),
        (ADOPTION, JobChange(action=Action.ADOPT, rules="orders"), WHERE),
        (LETTER_JOB, JobChange(action=Action.REDRIVE), LetterQuery(reason="bad json")),
        (replace(SAME_JOB, change=replace(SAME_JOB.change, result=Raw(b"{}"))), SAME_JOB.change, WHERE),
    ],
)
def test_a_request_that_is_repeated_means_the_same_job(
    created: JobCreated, change: JobChange, query: SessionQuery | LetterQuery | None
) -> None:
    require_same_job(created, change, query)


@pytest.mark.parametrize(
    ("created", "change", "query"),
    [
        (SAME_JOB, JobChange(action=Action.REPLAY, kwargs={"paid": Raw(b'{"eur":5}')}), WHERE),
        (SAME_JOB, JobChange(action=Action.REPLAY), WHERE),
        (SAME_JOB, JobChange(action=Action.SKIP), WHERE),
        (SAME_JOB, SAME_JOB.change, SessionQuery(exception="Declined", prefix="a")),
        (ADOPTION, JobChange(action=Action.ADOPT, rules="orders", version=1), WHERE),
        (LETTER_JOB, JobChange(action=Action.REDRIVE), LetterQuery(reason="bad avro")),
        (LETTER_JOB, JobChange(action=Action.DISCARD), LetterQuery(reason="bad json")),
    ],
)
def test_another_job_with_the_id_of_a_recorded_one_is_refused(
    created: JobCreated, change: JobChange, query: SessionQuery | LetterQuery
) -> None:
    with pytest.raises(IdReused, match="another filter or other options: j"):
        require_same_job(created, change, query)
