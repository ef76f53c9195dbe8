"""Traces from the fire to the task and back, with real processes that export to an OTLP endpoint."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import cast

import httpx
import pytest
from msgspec import structs
from tests.support.api_server import api_server
from tests.support.celery_process import CeleryProcess, celery_worker, dispatcher
from tests.support.commands import make_command, wait_for_results
from tests.support.otlp_collector import Collector, collector
from tests.support.program import Run, run
from tests.support.redis_server import RedisServer
from tests.support.topic_reader import read_topic
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import encode_command, parse_trace, read_trace, trace_headers
from triggers.codec.trace_headers import trace_attributes
from triggers.core.commands import RunTask
from triggers.core.trace_context import TraceContext
from triggers.kafka.records import Record, headers_of
from triggers.kafka.sender import KafkaSender
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TASKS = "tests.support.celery_tasks"
RULES = {
    "t_ship": {"after": ["paid", "packed"], "run": f"{TASKS}.traced"},
    "t_mail": {"after": ["t_ship", "paid"], "run": f"{TASKS}.quick"},
}
TREE = f"""\
fire paid [triggers-cli]
  decide paid [triggers-worker]
fire packed [triggers-cli]
  decide packed [triggers-worker]
    issue {TASKS}.traced [triggers-worker] -> linked to fire paid
      decide running [triggers-worker]
      run {TASKS}.traced [triggers-celery]
        report finished [triggers-celery]
          decide finished [triggers-worker]
            issue {TASKS}.quick [triggers-worker] -> linked to fire paid
              decide running [triggers-worker]
              run {TASKS}.quick [triggers-celery]
                report finished [triggers-celery]
                  decide finished [triggers-worker]
        the task's own work [triggers-celery]"""
TRACE = TraceContext(bytes(range(1, 25)), 1)


def worker(settings: Settings, endpoint: Collector) -> WorkerProcess:
    """A worker that exports its spans."""
    return WorkerProcess(settings, "w0", plant=partial(set_variables, endpoint.variables))


def set_variables(variables: dict[str, str]) -> None:
    """Called in the process of the worker."""
    os.environ.update(variables)


def issue(settings: Settings, *commands: RunTask, trace: TraceContext = TRACE) -> None:
    """Writes commands with a trace, as an agent does that exports nothing."""
    sender = KafkaSender(settings)
    topic = Topology(settings.namespace).commands
    for command in commands:
        delivery = sender.send(topic, command.session.encode(), encode_command(command), trace_headers(trace))
        sender.wait_for(delivery)


def result_traces(settings: Settings) -> list[TraceContext | None]:
    """The contexts of the events that were published, in order."""
    messages = read_topic(settings, Topology(settings.namespace).events)
    return [read_trace(headers_of(cast("Record", message)) or ()) for message in messages]


def configure(settings: Settings) -> None:
    configured = run(settings, "configure", "order-1", json.dumps(RULES))
    assert configured.returncode == 0, configured.stderr


def fire(settings: Settings, trigger: str, variables: dict[str, str]) -> None:
    fired = Run(settings, "fire", "order-1", trigger, **variables).wait()
    assert fired.returncode == 0, fired.stderr


def test_a_session_is_traced_from_its_fires_to_the_tasks_and_into_the_cascade(settings: Settings) -> None:
    create_topics(settings)

    with (
        collector() as endpoint,
        worker(settings, endpoint),
        celery_worker(settings, "--pool=prefork", "-c1", **endpoint.variables),
    ):
        configure(settings)
        fire(settings, "paid", endpoint.variables)
        fire(settings, "packed", endpoint.variables)
        for name in ("decide finished", "report finished", "decide running"):
            endpoint.wait_for(name, 2)

    assert endpoint.tree() == TREE
    first, second = endpoint.named("fire paid")[0].trace_id, endpoint.named("fire packed")[0].trace_id
    assert {span.trace_id for span in endpoint.spans} == {first, second}
    assert endpoint.named("decide packed")[0].attributes["triggers.session"] == "order-1"
    assert all(span.started_ns <= span.ended_ns for span in endpoint.spans)


def test_a_producer_that_does_not_sample_makes_no_span_anywhere(settings: Settings) -> None:
    create_topics(settings)

    with (
        collector() as endpoint,
        worker(settings, endpoint),
        celery_worker(settings, "--pool=prefork", "-c1", **endpoint.variables) as celery,
    ):
        configure(settings)
        fire(settings, "paid", endpoint.variables | {"OTEL_TRACES_SAMPLER": "always_off"})
        fire(settings, "packed", endpoint.variables | {"OTEL_TRACES_SAMPLER": "always_off"})
        wait_for_results(settings, [RunTask(session="order-1", instance="t_mail#0", attempt=1, run="")], celery)
        fire(settings, "other", endpoint.variables)
        endpoint.wait_for("decide other")

    contexts = [trace for trace in result_traces(settings) if trace is not None]
    assert endpoint.tree() == "fire other [triggers-cli]\n  decide other [triggers-worker]"
    assert [trace.flags & 1 for trace in contexts] == [0] * 6 + [1]
    assert len({trace.trace_id for trace in contexts[1:6]}) == 1


def test_processes_without_an_exporter_pass_the_context_on(settings: Settings) -> None:
    create_topics(settings)

    with (
        collector() as endpoint,
        WorkerProcess(settings, "w0"),
        celery_worker(settings, "--pool=prefork", "-c1") as celery,
    ):
        configure(settings)
        fire(settings, "paid", endpoint.variables)
        fire(settings, "packed", endpoint.variables)
        wait_for_results(settings, [RunTask(session="order-1", instance="t_mail#0", attempt=1, run="")], celery)

    assert endpoint.tree() == "fire paid [triggers-cli]\nfire packed [triggers-cli]"
    packed = endpoint.named("fire packed")[0]
    context = parse_trace(f"00-{packed.trace_id}-{packed.span_id}-01".encode())
    _, _, *caused = result_traces(settings)
    assert {trace and trace.span for trace in caused} == {context and context.span}


@pytest.mark.parametrize("options", [["prefork", "-c1", "--max-tasks-per-child=1"], ["threads", "-c2"], ["solo"]])
def test_the_spans_of_every_pool_arrive_even_of_children_that_end(settings: Settings, options: list[str]) -> None:
    create_topics(settings)
    commands = [make_command(f"{TASKS}.traced", number=number) for number in range(3)]
    commands += [make_command(f"{TASKS}.raises")]

    with collector() as endpoint:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.endpoint}  # the SDK would wait for five seconds
        issue(settings, *commands)
        with celery_worker(settings, f"--pool={options[0]}", *options[1:], **variables) as celery:
            wait_for_results(settings, commands, celery)
            celery.terminate()

    own = endpoint.wait_for("the task's own work", 3)
    runs = endpoint.wait_for(f"run {TASKS}.traced", 3)
    (failed,) = endpoint.wait_for(f"run {TASKS}.raises")
    assert {span.parent_id for span in own} == {span.span_id for span in runs}
    assert {span.parent_id for span in (*runs, failed)} == {TRACE.span_id.hex()}
    assert {span.trace_id for span in endpoint.spans} == {TRACE.trace_id.hex()}
    assert (failed.is_error, failed.attributes["celery.state"]) == (True, "FAILURE")
    assert [span.parent_id for span in endpoint.named("report failed")] == [failed.span_id]


def test_the_loss_of_a_pool_child_is_a_span_below_its_command(settings: Settings) -> None:
    create_topics(settings)
    command = make_command(f"{TASKS}.kills_itself")

    with collector() as endpoint:
        issue(settings, command)
        with celery_worker(settings, "--pool=prefork", "-c1", **endpoint.variables) as celery:
            wait_for_results(settings, [command], celery)
            (report,) = endpoint.wait_for("report failed")

    assert (report.trace_id, report.parent_id) == (TRACE.trace_id.hex(), TRACE.span_id.hex())


def test_a_dispatched_command_runs_below_the_dispatch(settings: Settings, redis: RedisServer) -> None:
    create_topics(settings)
    commands = [make_command(f"{TASKS}.traced"), make_command(f"{TASKS}.retries")]

    with (
        collector() as endpoint,
        dispatcher(settings, redis.url, **endpoint.variables),
        _worker_of_broker(settings, redis, endpoint) as celery,
    ):
        issue(settings, *commands)
        wait_for_results(settings, commands, celery)
        endpoint.wait_for("the task's own work")
        endpoint.wait_for(f"run {TASKS}.traced")
        retried = endpoint.wait_for(f"run {TASKS}.retries", 2)

    (dispatch,) = endpoint.named(f"dispatch {TASKS}.traced")
    (traced,) = endpoint.named(f"run {TASKS}.traced")
    (own,) = endpoint.named("the task's own work")
    assert (dispatch.service, dispatch.parent_id) == ("triggers-dispatcher", TRACE.span_id.hex())
    assert (traced.parent_id, own.parent_id) == (dispatch.span_id, traced.span_id)
    assert {span.parent_id for span in retried} == {endpoint.named(f"dispatch {TASKS}.retries")[0].span_id}
    assert {span.trace_id for span in endpoint.spans} == {TRACE.trace_id.hex()}


def test_a_request_of_the_api_and_the_hooks_of_its_decision_belong_to_the_trace_of_the_client(
    settings: Settings, tmp_path: Path
) -> None:
    with_feed = structs.replace(settings, decisions=True)
    create_topics(with_feed, decisions=True)
    (tmp_path / "api").mkdir()

    with (
        collector() as endpoint,
        worker(with_feed, endpoint),
        api_server(with_feed, tmp_path / "api", **endpoint.variables) as (url, _),
        _hooks(with_feed, endpoint),
    ):
        headers = trace_attributes(TRACE)
        fired = httpx.post(f"{url}/v1/sessions/order-1/triggers/echo", json={}, headers=headers, timeout=60)
        assert fired.is_success, fired.text
        httpx.get(f"{url}/v1/sessions/nobody", headers=headers, timeout=60)
        endpoint.wait_for("decide back")
        endpoint.wait_for("hook fire", 2)
        endpoint.wait_for("GET /v1/sessions/{uid}")

    assert endpoint.tree() == API_TREE
    assert {span.trace_id for span in endpoint.spans} == {TRACE.trace_id.hex()}
    (posted,) = endpoint.named("POST /v1/sessions/{uid}/triggers/{name}")
    assert (posted.parent_id, posted.attributes["http.response.status_code"]) == (TRACE.span_id.hex(), 202)
    (missing,) = endpoint.named("GET /v1/sessions/{uid}")
    assert (missing.is_error, missing.attributes["http.response.status_code"]) == (False, 404)


API_TREE = """\
POST /v1/sessions/{uid}/triggers/{name} [triggers-api]
  fire echo [triggers-api]
    decide echo [triggers-worker]
      hook fire [triggers-hooks]
        fire back [triggers-hooks]
          decide back [triggers-worker]
            hook fire [triggers-hooks]
GET /v1/sessions/{uid} [triggers-api]"""


def _hooks(settings: Settings, endpoint: Collector) -> CeleryProcess:
    process = CeleryProcess(settings, "hooks", "tests.support.hook_program", **endpoint.variables)
    process.notes_file.touch()
    return process


def _worker_of_broker(settings: Settings, redis: RedisServer, endpoint: Collector) -> CeleryProcess:
    broker = {"TEST_BROKER_URL": redis.url, "TEST_DISPATCHED": "1"}
    return celery_worker(settings, "--pool=prefork", "-c1", **broker, **endpoint.variables)
