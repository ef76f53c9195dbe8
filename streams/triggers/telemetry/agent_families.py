"""The metric families of an agent."""

from __future__ import annotations

from typing import Final

from triggers.telemetry.families import CounterFamily, GaugeFamily, HistogramFamily

_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

EVENTS = CounterFamily(
    name="triggers_events_total",
    help="Events processed, by outcome.",
    labels=("outcome",),
    values=("applied", "unused", "stopped", "duplicate", "stale", "deleted"),
)
DEAD_LETTERS = CounterFamily(
    name="triggers_dead_letters_total", help="Records that became dead letters, by reason.", labels=("reason",)
)
FORWARDED_EVENTS = CounterFamily(
    name="triggers_forwarded_events_total",
    help="Events found on the wrong partition and forwarded to the right one.",
)
COMMANDS = CounterFamily(name="triggers_commands_total", help="Commands issued, and cancellations of commands.")
FAILURES = CounterFamily(
    name="triggers_failures_total",
    help="Instances that have failed, by task and class of the exception; `other` beyond 500 pairs.",
    labels=("task", "exception"),
)
TIMERS = CounterFamily(name="triggers_timers_fired_total", help="Due timers published as events.")
EXPRESSION_FAILURES = CounterFamily(
    name="triggers_expression_failures_total",
    help="Evaluations of expressions without a usable result, which count as false; `triggers explain` says why.",
)
DUE_TIMERS = GaugeFamily(
    name="triggers_due_timers",
    help="Timers that are due and whose events are not applied yet; at most 10,000 a partition are counted.",
)
TIMER_DELAY = GaugeFamily(
    name="triggers_timer_delay_seconds", help="Time since the oldest of these timers was due.", unit="seconds"
)
CHANGELOG_ROWS = CounterFamily(name="triggers_changelog_rows_total", help="Rows written to the changelog.")
BATCH_EVENTS = HistogramFamily(
    name="triggers_batch_events",
    help="Records per transaction.",
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
)
DECIDE_SECONDS = HistogramFamily(
    name="triggers_decide_seconds", help="Time to decide one batch.", unit="seconds", buckets=_SECONDS
)
TRANSACTION_SECONDS = HistogramFamily(
    name="triggers_transaction_seconds",
    help="Time to commit one Kafka transaction and write its rows to RocksDB.",
    unit="seconds",
    buckets=_SECONDS,
)
ABORTED_TRANSACTIONS = CounterFamily(
    name="triggers_aborted_transactions_total",
    help="Transactions that were aborted and whose events were fetched again, by reason.",
    labels=("reason",),
)
EVENT_GAPS = CounterFamily(
    name="triggers_event_gaps_total",
    help="Ranges of offsets without an event, by what was found there: harmless (markers, aborted records), skipped"
    " (an event that was then fetched again), removed, unproven or repeated.",
    labels=("outcome",),
    values=("harmless", "skipped", "removed", "unproven", "repeated"),
)
STANDSTILLS = CounterFamily(
    name="triggers_standstills_total",
    help="Times that a partition stood still before an event and was assigned again.",
)
LAG_EVENTS = GaugeFamily(
    name="triggers_lag_events",
    help="Offsets between the committed one and the partition's end, transaction markers included, by partition.",
    labels=("partition",),
)
RESTORED_ROWS = CounterFamily(name="triggers_restored_rows_total", help="Rows restored from the changelog.")
REPEATED_RESTORES = CounterFamily(
    name="triggers_repeated_restores_total", help="Restores repeated because two readers found different rows."
)
RESTORE_SECONDS = HistogramFamily(
    name="triggers_restore_seconds",
    help="Time of one restore.",
    unit="seconds",
    buckets=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
)
RECOVERING_PARTITIONS = GaugeFamily(
    name="triggers_recovering_partitions", help="Partitions that the running restore has not finished."
)
REBALANCES = CounterFamily(
    name="triggers_rebalances_total",
    help="Rebalances that changed this worker's partitions, by change.",
    labels=("change",),
    values=("gained", "lost"),
)
PARTITIONS = GaugeFamily(name="triggers_partitions", help="Partitions owned by this worker.")
CACHED_SESSIONS = GaugeFamily(name="triggers_cached_sessions", help="Decoded sessions in memory.")
LOADED_SESSIONS = CounterFamily(
    name="triggers_loaded_sessions_total", help="Sessions decoded because they were not in memory."
)
INSTANCES = GaugeFamily(
    name="triggers_instances",
    help="Instances in the sessions of this worker's partitions now, by task and status; beyond 1,000 tasks, the"
    " other tasks together are `other`.",
    labels=("task", "status"),
)
STUCK_SESSIONS = GaugeFamily(
    name="triggers_stuck_sessions",
    help="Stuck sessions of this worker's partitions: `silent` if something is unresolved and nothing has happened for"
    " TRIGGERS_STUCK_AFTER_S, `behind_failure` if a task waits for the task of a failed instance. They are counted"
    " little by little.",
    labels=("why",),
)
STUCK_COUNT_AGE = GaugeFamily(
    name="triggers_stuck_sessions_age_seconds",
    help="Time since the oldest count in `triggers_stuck_sessions` began.",
    unit="seconds",
)
ROCKSDB_ROWS = GaugeFamily(
    name="triggers_rocksdb_rows", help="Rows in the RocksDB files of this worker's partitions, estimated by RocksDB."
)
ROCKSDB_FILE_BYTES = GaugeFamily(
    name="triggers_rocksdb_file_bytes", help="Size of the RocksDB files of this worker's partitions.", unit="bytes"
)
ROCKSDB_MEMORY_BYTES = GaugeFamily(
    name="triggers_rocksdb_memory_bytes",
    help="Memory of RocksDB, by use: `buffers` of rows that are not in files yet, or `readers` of its files.",
    labels=("use",),
    unit="bytes",
)
ROCKSDB_COMPACTION_BYTES = GaugeFamily(
    name="triggers_rocksdb_pending_compaction_bytes",
    help="Size of the files that RocksDB still has to compact, estimated by RocksDB.",
    unit="bytes",
)
ROCKSDB_STOPPED = GaugeFamily(
    name="triggers_rocksdb_stopped_partitions", help="Partitions whose RocksDB accepts no writes now."
)

AGENT_FAMILIES: Final = (
    EVENTS,
    DEAD_LETTERS,
    FORWARDED_EVENTS,
    COMMANDS,
    FAILURES,
    TIMERS,
    EXPRESSION_FAILURES,
    DUE_TIMERS,
    TIMER_DELAY,
    CHANGELOG_ROWS,
    BATCH_EVENTS,
    DECIDE_SECONDS,
    TRANSACTION_SECONDS,
    ABORTED_TRANSACTIONS,
    EVENT_GAPS,
    STANDSTILLS,
    LAG_EVENTS,
    RESTORED_ROWS,
    REPEATED_RESTORES,
    RESTORE_SECONDS,
    RECOVERING_PARTITIONS,
    REBALANCES,
    PARTITIONS,
    CACHED_SESSIONS,
    LOADED_SESSIONS,
    INSTANCES,
    STUCK_SESSIONS,
    STUCK_COUNT_AGE,
    ROCKSDB_ROWS,
    ROCKSDB_FILE_BYTES,
    ROCKSDB_MEMORY_BYTES,
    ROCKSDB_COMPACTION_BYTES,
    ROCKSDB_STOPPED,
)
