"""The metric families of Celery workers, the dispatcher, hooks, the HTTP API and the console."""

from __future__ import annotations

from typing import Final

from triggers.telemetry.families import CounterFamily, GaugeFamily, HistogramFamily

_WAITS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0)
_REQUESTS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

RUNS_STARTED = CounterFamily(
    name="triggers_celery_runs_started_total", help="Runs of commands that a pool slot has begun.", labels=("task",)
)
RUNS_FINISHED = CounterFamily(
    name="triggers_celery_runs_finished_total",
    help="Runs that returned. One that set a status or asked the engine for a retry has returned, too.",
    labels=("task",),
)
RUNS_FAILED = CounterFamily(
    name="triggers_celery_runs_failed_total",
    help="Commands that raised, lost their process, exceeded their time or were revoked, by task and class of the"
    " exception; `other` beyond 500 pairs.",
    labels=("task", "exception"),
)
RUNS_RETRIED = CounterFamily(
    name="triggers_celery_runs_retried_total", help="Runs that ended with Celery's `Retry`.", labels=("task",)
)
RUNS_IGNORED = CounterFamily(
    name="triggers_celery_runs_ignored_total",
    help="Runs that ended with Celery's `Ignore` or `Reject`.",
    labels=("task",),
)
QUEUE_SECONDS = HistogramFamily(
    name="triggers_celery_queue_seconds",
    help="Time from a command's record on Kafka to the start of its run.",
    labels=("task",),
    unit="seconds",
    buckets=_WAITS,
)
RUN_SECONDS = HistogramFamily(
    name="triggers_celery_run_seconds",
    help="Time of a run, however it ended.",
    labels=("task",),
    unit="seconds",
    buckets=_WAITS,
)
TRIGGER_TO_START_SECONDS = HistogramFamily(
    name="triggers_celery_trigger_to_start_seconds",
    help="Time from the event that caused a command to the start of its run.",
    labels=("task",),
    unit="seconds",
    buckets=_WAITS,
)
TRIGGER_TO_END_SECONDS = HistogramFamily(
    name="triggers_celery_trigger_to_end_seconds",
    help="Time from the event that caused a command to its outcome on Kafka.",
    labels=("task",),
    unit="seconds",
    buckets=_WAITS,
)
COMMANDS_IN_HAND = GaugeFamily(
    name="triggers_celery_commands_in_hand",
    help="Commands that the worker has fetched and not settled, by queue. They wait or run.",
    labels=("queue",),
)
COMMANDS_RUNNING = GaugeFamily(
    name="triggers_celery_commands_running", help="Commands that Celery has: in the pool or running."
)

CELERY_FAMILIES: Final = (
    RUNS_STARTED,
    RUNS_FINISHED,
    RUNS_FAILED,
    RUNS_RETRIED,
    RUNS_IGNORED,
    QUEUE_SECONDS,
    RUN_SECONDS,
    TRIGGER_TO_START_SECONDS,
    TRIGGER_TO_END_SECONDS,
    COMMANDS_IN_HAND,
    COMMANDS_RUNNING,
)

DISPATCHED = CounterFamily(
    name="triggers_dispatched_commands_total",
    help="Commands and cancellations that the Celery broker has accepted, or that cannot be sent and have failed.",
)
DISPATCH_FAULTS = CounterFamily(
    name="triggers_dispatch_faults_total",
    help="Times that the Celery broker did not accept a command, which is then sent again.",
)
DISPATCH_SECONDS = HistogramFamily(
    name="triggers_dispatch_seconds",
    help="Time from a command's record on Kafka to the Celery broker.",
    unit="seconds",
    buckets=_WAITS,
)
BACKLOG = GaugeFamily(
    name="triggers_dispatcher_backlog_commands",
    help="Commands that the dispatcher has fetched and the Celery broker has not, by queue.",
    labels=("queue",),
)
DISPATCHER_FAMILIES: Final = (DISPATCHED, DISPATCH_FAULTS, DISPATCH_SECONDS, BACKLOG)

HOOK_DECISIONS = CounterFamily(
    name="triggers_hook_decisions_total",
    help="Decisions handed to hooks, by outcome: done, failed (a hook raised and is run again), delayed (a worker or"
    " broker is unavailable) or dead_letter.",
    labels=("outcome",),
    values=("done", "failed", "delayed", "dead_letter"),
)
HOOK_SECONDS = HistogramFamily(
    name="triggers_hook_seconds",
    help="Time of one call of the hooks of a decision, however it ended.",
    unit="seconds",
    buckets=_WAITS,
)
HOOKS_FAMILIES: Final = (HOOK_DECISIONS, HOOK_SECONDS)

HTTP_REQUESTS = CounterFamily(
    name="triggers_http_requests_total",
    help="HTTP requests of operations, by status. In the console, `none` is a path that does not exist.",
    labels=("operation", "status"),
)
HTTP_SECONDS = HistogramFamily(
    name="triggers_http_request_seconds",
    help="Time of HTTP requests, by operation.",
    labels=("operation",),
    unit="seconds",
    buckets=_REQUESTS,
)
HTTP_IN_FLIGHT = GaugeFamily(
    name="triggers_api_events_in_flight", help="Events of the API that Kafka has not acknowledged yet."
)
GROUP_LAG = GaugeFamily(
    name="triggers_group_lag_offsets",
    help="Offsets between a consumer group's commit and the partition's end, measured every 15 s by the HTTP API, also"
    " if the group has no member. For executors, it includes finished commands after a long task.",
    labels=("group", "topic", "partition"),
)
GROUP_LAG_ERRORS = CounterFamily(
    name="triggers_group_lag_errors_total", help="Times that the lag of the groups could not be measured."
)
API_FAMILIES: Final = (HTTP_REQUESTS, HTTP_SECONDS, HTTP_IN_FLIGHT, GROUP_LAG, GROUP_LAG_ERRORS)
CONSOLE_FAMILIES: Final = (HTTP_REQUESTS, HTTP_SECONDS)
