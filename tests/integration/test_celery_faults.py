"""Celery workers are killed, stopped and misconfigured. No command is lost or blocks others, and no worker idles."""

from __future__ import annotations

import json
import signal
from collections import Counter

import msgspec
import pytest
from tests.support.bad_header import send_bad_header
from tests.support.celery_process import CeleryProcess, celery_worker
from tests.support.commands import issue_bytes, issue_commands, make_command, read_results, wait_for_results
from tests.support.executors import executors_lag, finished_beyond_the_commit
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics

from triggers.codec import decode_dead_letter
from triggers.core.commands import RunTask
from triggers.core.events import TaskFailed, TaskFinished
from triggers.settings import Settings

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"


@pytest.fixture
def quick_settings(settings: Settings) -> Settings:
    """Settings with which a lost worker is noticed soon."""
    return msgspec.structs.replace(settings, celery_session_timeout_s=3.0)


def _slow(seconds: float, number: int, session: str = "s1") -> RunTask:
    return make_command(f"{TASKS}.slow", session, number, kwargs={"page": {"seconds": seconds}})


def _quick(number: int) -> RunTask:
    return make_command(f"{TASKS}.echo", f"q{number}", number)


def _begun(worker: CeleryProcess) -> Counter[str]:
    return Counter(line.removeprefix("begin ") for line in worker.notes() if line.startswith("begin "))


def test_a_killed_worker_loses_nothing(quick_settings: Settings) -> None:
    settings = quick_settings
    create_topics(settings)
    commands = [_slow(0.02, n, f"s{n}") for n in range(600)]
    issue_commands(settings, commands)

    with celery_worker(settings, "-c2", name="first") as first, celery_worker(settings, "-c2", name="second") as second:
        wait_until(lambda: len(_begun(first)) > 150, "a quarter is begun")
        first.kill()
        with celery_worker(settings, "-c2", name="third"):
            results = wait_for_results(settings, commands, second)

    assert all(isinstance(results[one.id][0], TaskFinished) for one in commands)
    repeated = sum(_begun(second).values()) - len(commands)
    assert repeated < 150, "only what finished since the last commit runs again"


def test_a_task_that_kills_its_worker_is_identified_and_no_other_task_is_blamed(quick_settings: Settings) -> None:
    settings = quick_settings
    create_topics(settings)
    culprit = make_command(f"{TASKS}.exits_hard", "c1")
    bystanders = [_quick(n) for n in range(40)]
    issue_commands(settings, [*bystanders[:5], culprit, *bystanders[5:]], partition=0)

    deaths = 0
    while culprit.id not in read_results(settings):
        with celery_worker(settings, "--pool=solo") as worker:
            wait_until(lambda: not worker.running or culprit.id in read_results(settings), "the worker died")
            deaths += not worker.running
        assert deaths <= 5
    with celery_worker(settings, "--pool=solo") as worker:
        results = wait_for_results(settings, [culprit, *bystanders], worker)

    failure = results[culprit.id][0]
    assert isinstance(failure, TaskFailed)
    assert failure.exception_type == "billiard.exceptions.WorkerLostError"
    assert "worker lost 3 times" in failure.exception_info
    assert worker.notes().count(culprit.id) == deaths
    assert deaths in {3, 4}
    assert [results[one.id][0] for one in bystanders if not isinstance(results[one.id][0], TaskFinished)] == []


def test_a_long_task_does_not_block_others_and_a_shutdown_waits_for_it(settings: Settings) -> None:
    create_topics(settings)
    long, short = _slow(4, 0), [_quick(n) for n in range(200)]
    issue_commands(settings, [long, *short], partition=1)

    with celery_worker(settings, "-c2") as worker:
        results = wait_for_results(settings, short, worker)
        assert long.id not in results, "the short ones overtake the long one"
        assert worker.terminate() == 0
    assert isinstance(read_results(settings)[long.id][0], TaskFinished)
    assert executors_lag(settings) <= 1
    with celery_worker(settings, "-c2", name="next") as worker:
        issue_commands(settings, [last := _quick(999)])
        wait_for_results(settings, [last], worker)

    assert set(Counter(worker.notes()).values()) == {1}, "nothing ran twice"


def test_a_shutdown_returns_commands_that_have_not_started(settings: Settings) -> None:
    create_topics(settings)
    commands = [_slow(0.2, n) for n in range(40)]
    issue_commands(settings, commands)

    with celery_worker(settings, "-c1", name="first") as worker:
        wait_until(lambda: len(_begun(worker)) >= 3, "some have begun")
        assert worker.terminate() == 0
        begun = len(_begun(worker))
    with celery_worker(settings, "-c4", name="second") as worker:
        results = wait_for_results(settings, commands, worker)

    assert begun < 20
    assert set(_begun(worker).values()) == {1}
    assert {len(results[one.id]) for one in commands} == {1}


def test_a_killed_worker_with_a_long_task_repeats_only_that_one(quick_settings: Settings) -> None:
    settings = quick_settings
    create_topics(settings)
    long, short = _slow(6, 0), [_quick(n) for n in range(100)]
    issue_commands(settings, [long, *short], partition=2)
    with celery_worker(settings, "-c2", name="first") as worker:
        wait_for_results(settings, short, worker)
        wait_until(lambda: finished_beyond_the_commit(settings, 2) >= len(short), "it is committed")
        worker.kill()

    with celery_worker(settings, "-c2", name="second") as worker:
        wait_for_results(settings, [long], worker)

    counts = Counter(worker.notes())
    assert counts[f"begin {long.id}"] == 2
    assert {counts[one.id] for one in short} == {1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"garbage", "unknown format"), (None, "empty value"), (b"\xc3\x01" + b"x" * 20, "unknown schema")],
)
def test_a_malformed_command_becomes_a_dead_letter_and_is_settled(
    settings: Settings, value: bytes | None, reason: str
) -> None:
    names = create_topics(settings)
    issue_bytes(settings, value)
    issue_commands(settings, [good := _quick(1)])

    with celery_worker(settings, "--pool=solo") as worker:
        wait_for_results(settings, [good], worker)
        wait_until(lambda: len(read_topic(settings, names.dead_letters)) == 1, "one dead letter")
        wait_until(lambda: executors_lag(settings) == 0, "the lag is 0")

    letter = decode_dead_letter(read_topic(settings, names.dead_letters)[0].value())
    assert (letter.reason, letter.value, letter.key, letter.topic) == (reason, value, b"s1", names.commands)
    assert dict(letter.headers) == {"h": b"1"}


def test_a_malformed_command_with_a_header_whose_name_is_not_utf8_does_not_end_the_worker(settings: Settings) -> None:
    names = create_topics(settings)
    send_bad_header(settings, names.commands, "s1", "garbage", 0)
    issue_commands(settings, [good := _quick(1)])

    with celery_worker(settings, "--pool=solo") as worker:
        wait_for_results(settings, [good], worker)
        wait_until(lambda: len(read_topic(settings, names.dead_letters)) == 1, "one dead letter")
        wait_until(lambda: executors_lag(settings) == 0, "the lag is 0")

    letter = decode_dead_letter(read_topic(settings, names.dead_letters)[0].value())
    assert (letter.reason, letter.value, letter.headers) == ("unknown format", b"garbage", [])


def test_a_worker_whose_reader_dies_stops(settings: Settings) -> None:
    create_topics(settings)
    impossible = msgspec.structs.replace(settings, celery_session_timeout_s=0.4)

    with celery_worker(impossible, "-c1") as worker:
        code = worker.join()

    assert code == 74
    assert "the reader of the commands topic died" in worker.log_text()


@pytest.mark.parametrize("broker_url", ["memory://", "filesystem://"])
def test_a_worker_with_a_broker_that_loses_tasks_does_not_start(settings: Settings, broker_url: str) -> None:
    with celery_worker(settings, "-c1", TEST_BROKER_URL=broker_url) as worker:
        code = worker.join()

    assert code != 0
    assert f"broker_url is {broker_url}" in worker.log_text()


def test_a_second_worker_joins_and_nothing_is_lost_or_repeated(settings: Settings) -> None:
    create_topics(settings)
    commands = [_slow(0.05, n, f"s{n}") for n in range(300)]
    issue_commands(settings, commands)

    with celery_worker(settings, "-c2", name="first") as first:
        wait_until(lambda: len(_begun(first)) > 30, "some have begun")
        with celery_worker(settings, "-c2", name="second") as second:
            wait_for_results(settings, commands, second)
            assert second.terminate() == 0
        assert first.terminate() == 0

    repeated = sum(_begun(first).values()) - len(commands)
    assert repeated <= 8, "at most what was running or about to"
    assert "second@" in second.log_text()


def test_a_cold_shutdown_leaves_the_running_task_to_the_next_worker(quick_settings: Settings) -> None:
    settings = quick_settings
    create_topics(settings)
    issue_commands(settings, [long := _slow(600, 0)])  # it outlasts its worker, however busy the machine is
    with celery_worker(settings, "-c1", name="first") as worker:
        wait_until(lambda: len(_begun(worker)) == 1, "it has begun")
        worker.signal(signal.SIGQUIT)
        worker.join()
        assert long.id not in read_results(settings)

    with celery_worker(settings, "-c1", name="second", TEST_LONGEST_S="0.5") as worker:
        results = wait_for_results(settings, [long], worker)

    finished = results[long.id][0]
    assert isinstance(finished, TaskFinished)
    assert json.loads(finished.result) == {"slept": 0.5}
