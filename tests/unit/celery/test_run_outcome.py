"""What a pool child returns of a run: its reports arrive in the main process, whatever the exception is."""

from __future__ import annotations

import pickle
import threading
from types import SimpleNamespace

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.exceptions import Reject
from tests.support.command_runs import CommandRuns, RecordingResults, request_of

from triggers.celery.celery_private import exception_of, info_of
from triggers.celery.command_request import CommandRequest
from triggers.celery.reports import Report, encode_report, keep_reports, kept_reports
from triggers.celery.run_outcome import ESCAPED, RunOutcome, UnreadableException, pack_info, unpack_info
from triggers.core.commands import RunTask
from triggers.core.events import Event, TaskFailed, TaskFinished, TaskStarted
from triggers.core.trace_context import SPAN_BYTES, TraceContext
from triggers.results.result_events import CommandName, failed_event, finished_event, started_event

COMMAND = RunTask(session="s1", instance="t_x#0", attempt=1, run="t")
NAME = CommandName(session="s1", instance="t_x#0", attempt=1)
FINISHED = encode_report(NAME, finished_event(NAME, {"n": 1}, 0, 1000))
FAILED = encode_report(NAME, failed_event(NAME, ValueError("reported by the child"), max_payload_bytes=1000))


def returns() -> None:
    """A task."""


class Ended:
    """A command whose request the main process of a worker has."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._results = RecordingResults([])
        runs = CommandRuns(has_broker=False, result_backend="disabled://")
        runs.app.task(returns, name="t", shared=False)
        consumer = SimpleNamespace(app=runs.app, hostname="here", event_dispatcher=None)
        self.request: CommandRequest = request_of(
            COMMAND, consumer, self._results, lambda _: self.order.append("settled")
        )

    @property
    def events(self) -> list[Event]:
        return [event for _, event in self._results.published]


@pytest.mark.parametrize("reports", [[FINISHED], [FINISHED, FAILED]])
def test_the_reports_of_a_run_are_published_as_they_are_and_then_the_command_is_settled(reports: list[Report]) -> None:
    ended = Ended()

    ended.request.on_success(RunOutcome(0, "{'n': 1}", 0.1, reports))

    assert [type(event) for event in ended.events] == [TaskFinished, TaskFailed][: len(reports)]
    assert ended.order == ["settled"]


def test_the_start_precedes_the_result_and_a_second_outcome_is_ignored() -> None:
    ended = Ended()

    ended.request.on_accepted(pid=1, time_accepted=0.0)
    ended.request.on_success(RunOutcome(0, "{'n': 1}", 0.1, [FINISHED]))
    ended.request.on_success(RunOutcome(1, pack_info(info_of(ValueError("late"))), 0.1, [FAILED]))

    assert [type(event) for event in ended.events] == [TaskStarted, TaskFinished]
    assert ended.order == ["settled"]


@pytest.mark.parametrize("loss", [WorkerLostError("signal 9 (SIGKILL)"), TimeLimitExceeded(3)])
def test_a_result_that_is_reported_early_counts_even_if_its_child_is_lost(loss: Exception) -> None:
    ended = Ended()

    ended.request.report_early([FINISHED])
    assert ([type(event) for event in ended.events], ended.order) == ([TaskFinished], [])
    ended.request.on_failure(info_of(loss))

    assert ([type(event) for event in ended.events], ended.order) == ([TaskFinished], ["settled"])


def test_a_result_that_is_reported_early_is_not_published_again_at_the_end_of_the_run() -> None:
    ended = Ended()

    ended.request.report_early([FINISHED])
    ended.request.on_success(RunOutcome(0, "{'n': 1}", 0.1, [FINISHED]))

    assert ([type(event) for event in ended.events], ended.order) == ([TaskFinished], ["settled"])


def test_a_task_that_succeeds_without_a_report_has_failed() -> None:
    ended = Ended()

    ended.request.on_success(RunOutcome(0, "None", 0.1, []))

    (event,) = ended.events
    assert isinstance(event, TaskFailed)
    assert "s1/t_x#0/1 succeeded without a report" in event.exception_message
    assert ended.order == ["settled"]


@pytest.mark.parametrize("code", [1, ESCAPED])
def test_a_failure_without_a_report_is_reported_in_the_main_process(code: int) -> None:
    ended = Ended()

    ended.request.on_success(RunOutcome(code, pack_info(info_of(ValueError("not reported"))), 0.1, []))

    (event,) = ended.events
    assert isinstance(event, TaskFailed)
    assert (event.exception_type, event.exception_message) == ("builtins.ValueError", "not reported")
    assert ended.order == ["settled"]


@pytest.mark.parametrize("code", [1, ESCAPED])
def test_an_exception_that_cannot_be_unpickled_changes_nothing_about_the_report(code: int) -> None:
    ended = Ended()

    ended.request.on_success(RunOutcome(code, b"cunknown_module\nUnknown\n.", 0.1, [FAILED]))

    (event,) = ended.events
    assert isinstance(event, TaskFailed)
    assert event.exception_message == "reported by the child"
    assert ended.order == ["settled"]


def test_an_unpickled_exception_has_its_class_and_its_traceback() -> None:
    info = unpack_info(pack_info(info_of(KeyError("page"))))

    assert repr(exception_of(info)) == "KeyError('page')"
    assert "raise error" in info.traceback


def test_an_exception_that_cannot_be_pickled_is_replaced_as_celery_does() -> None:
    info = unpack_info(pack_info(info_of(Reject(threading.Lock()))))

    assert "Reject" in repr(exception_of(info))


def test_an_exception_of_an_unknown_class_says_why() -> None:
    error = exception_of(unpack_info(b"cunknown_module\nUnknown\n."))

    assert isinstance(error, UnreadableException)
    assert "No module named 'unknown_module'" in str(error)


def test_a_report_of_another_process_is_the_same() -> None:
    report = encode_report(NAME, started_event(NAME))._replace(trace=TraceContext(bytes(SPAN_BYTES), 1, b"vendor=1"))

    assert pickle.loads(pickle.dumps(report)) == report  # noqa: S301  # our own bytes
    assert (report.command, report.kind) == (NAME, "running")


def test_reports_are_kept_inside_of_the_block_and_for_this_thread_only() -> None:
    elsewhere: list[object] = []

    with keep_reports() as outer:
        with keep_reports() as inner:
            assert kept_reports() is inner
        assert kept_reports() is outer
        thread = threading.Thread(target=lambda: elsewhere.append(kept_reports()))
        thread.start()
        thread.join()

    assert (kept_reports(), elsewhere) == (None, [None])
