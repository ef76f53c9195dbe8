"""Many dead letters are redriven and discarded by a job: each of them once, whoever else does the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.program import Program, environment, run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.client import SessionReader, SessionSearch
from triggers.client.dead_letters import DeadLetters
from triggers.client.letter_query import LetterQuery
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.letter_work import LetterWork
from triggers.jobs.planner import JobPlanner
from triggers.jobs.records import Action, JobChange, JobPublished
from triggers.settings import Settings

pytestmark = pytest.mark.broker

BAD, UNKNOWN = 30, 5


@pytest.fixture
def letters(settings: Settings) -> Iterator[Settings]:
    """Thirty dead letters of unknown events, and five records that are too short of fields."""
    create_topics(settings)
    application = Application(settings)
    for number in range(BAD):
        application.fire(f"order-{number:02}", {"type": "misspelt"})
    for number in range(UNKNOWN):
        application.fire(f"other-{number}", {"kwargs": {}})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield settings


def states(settings: Settings) -> list[str]:
    """Returns the state of each of the first dead letters. A redriven record that is still bad becomes a new one."""
    stored = DeadLetters(settings).read_all()
    return sorted(each.state for each in stored if "triggers-redrives" not in dict(each.letter.headers))


def dead_again(settings: Settings) -> list[str]:
    stored = DeadLetters(settings).read_all()
    redriven = (each for each in stored if "triggers-redrives" in dict(each.letter.headers))
    return sorted((each.letter.key or b"").decode() for each in redriven)


def counts(job: Any) -> dict[str, int]:  # noqa: ANN401  # JSON
    return {state: number for state, number in job["counts"].items() if number}


def test_a_filter_must_say_which_letters_and_a_preview_changes_none(letters: Settings) -> None:
    empty = run(letters, "dead-letters", "redrive", "--where", "--yes")
    both = run(letters, "dead-letters", "redrive", "--where", "--all")
    lonely = run(letters, "dead-letters", "discard", "--detail", "x")

    preview = run_json(letters, "dead-letters", "redrive", "--where", "--prefix", "order-", "--dry-run")

    assert (empty.returncode, "the filter is empty" in empty.stderr) == (2, True)
    assert (both.returncode, lonely.returncode, "needs --where" in lonely.stderr) == (2, 2, True)
    assert (preview["items"], preview["letters"]) == (BAD, {"prefix": "order-"})
    assert [(each["reason"], each["items"]) for each in preview["groups"]] == [("unknown event", BAD)]
    assert set(states(letters)) == {"open"}
    assert run_json(letters, "jobs", "list") == []


def test_a_job_that_was_killed_is_resumed_and_redrives_each_letter_once(letters: Settings, tmp_path: Path) -> None:
    command = ("dead-letters", "redrive", "--where", "--reason", "unknown event", "--rate", "10", "--yes")
    with Program(tmp_path, *command, env=environment(letters)) as program:
        program.wait_for("Job ")
        (started,) = run_json(letters, "jobs", "list")
        wait_until(lambda: "redriven" in states(letters), "some letters are redriven")
        program.end(signal.SIGKILL)

    resumed = run_json(letters, "jobs", "resume", started["id"])
    again = run_json(letters, "jobs", "resume", started["id"])

    assert counts(resumed) == counts(again) == {"applied": BAD}
    wait_until_processed(letters)
    assert states(letters) == ["open"] * UNKNOWN + ["redriven"] * BAD
    assert dead_again(letters) == [f"order-{number:02}" for number in range(BAD)], "each record came back once"
    shown = run_json(letters, "dead-letters", "list", "--state", "redriven")
    assert {each["job"] for each in shown} == {started["id"]}


def test_a_run_that_ended_between_its_two_records_is_finished_by_the_next(letters: Settings) -> None:
    with_job = run_json(
        letters, "dead-letters", "discard", "--where", "--prefix", "other-", "--rate", "0.01", "--dry-run"
    )
    assert with_job["items"] == UNKNOWN
    log = JobLog(letters)
    job = _recorded_job(letters, log)
    log.write(lambda: [JobPublished(job=job.id, items=[0, 1])])
    letter = DeadLetters(letters, "ada", job.id)
    letter.discard([letter.read_letter(*job.items[0].letter)])

    LetterWork(letters, log, job).confirm(job.unconfirmed())

    assert [job.result_of(number).state.value for number in range(3)] == ["applied", "applied", "pending"]
    assert states(letters).count("discarded") == 2


def test_what_somebody_else_has_handled_is_left_alone_and_said(letters: Settings) -> None:
    log = JobLog(letters)
    job = _recorded_job(letters, log)
    by_hand = DeadLetters(letters, "bob")
    by_hand.redrive([by_hand.read_letter(*job.items[0].letter)])

    done = run_json(letters, "jobs", "resume", job.id)

    assert counts(done) == {"applied": UNKNOWN - 1, "obsolete": 1}
    items = run_json(letters, "jobs", "show", job.id, "--state", "obsolete")["items"]
    assert [each["detail"] for each in items] == ["redriven by bob already"]
    shown = run(letters, "jobs", "show", job.id).stdout
    assert "dead letter" in shown
    assert "other-" in shown


def _recorded_job(settings: Settings, log: JobLog) -> Job:
    """Records a job that discards the records which are too short, and does not run it."""
    planner = JobPlanner(settings, log, SessionSearch(settings), SessionReader(settings))
    selection = planner.select_letters(JobChange(action=Action.DISCARD), LetterQuery(prefix="other-"))
    return planner.create(selection, actor="ada")
