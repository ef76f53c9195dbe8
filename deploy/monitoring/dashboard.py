"""Writes the Grafana dashboard: python deploy/monitoring/dashboard.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

PATH: Final = Path(__file__).parent / "grafana" / "dashboards" / "triggers.json"
_WIDTH: Final = 8
_HEIGHT: Final = 8
_COLUMNS: Final = 3
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


class Panel(NamedTuple):
    """A graph: its queries by legend."""

    title: str
    queries: dict[str, str]
    unit: str = "short"


def _rate(name: str, *labels: str) -> str:
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} (rate({name}[$__rate_interval]))"


def _quantile(share: float, name: str, *labels: str) -> str:
    by = ", ".join((*labels, "le"))
    return f"histogram_quantile({share}, sum by ({by}) (rate({name}_bucket[$__rate_interval])))"


_LAG: Final = "sum by (group) (max by (group, topic, partition) (triggers_group_lag_offsets))"

ROWS: Final[dict[str, list[Panel]]] = {
    "Is everything well?": [
        Panel("Processes", {"{{job}}": 'sum by (job) (up{job=~"triggers-.+"})'}),
        Panel("Lag by group", {"{{group}}": _LAG}),
        Panel("Instances by status", {"{{status}}": "sum by (status) (triggers_instances)"}),
        Panel("Failed now, by task", {"{{task}}": 'topk(10, sum by (task) (triggers_instances{status="failed"}))'}),
        Panel(
            "Failures", {"{{task}} {{exception}}": f"topk(10, {_rate('triggers_failures_total', 'task', 'exception')})"}
        ),
        Panel("Dead letters", {"{{reason}}": _rate("triggers_dead_letters_total", "reason")}),
    ],
    "Agents": [
        Panel("Events by outcome", {"{{outcome}}": _rate("triggers_events_total", "outcome")}, "ops"),
        Panel("Commands issued", {"commands": _rate("triggers_commands_total")}, "ops"),
        Panel(
            "Time of a batch",
            {
                "decide, p99": _quantile(0.99, "triggers_decide_seconds"),
                "transaction, p99": _quantile(0.99, "triggers_transaction_seconds"),
                "transaction, median": _quantile(0.5, "triggers_transaction_seconds"),
            },
            "s",
        ),
        Panel("Events of a batch", {"p90": _quantile(0.9, "triggers_batch_events")}),
        Panel(
            "Partitions", {"{{instance}}": "triggers_partitions", "restoring": "sum(triggers_recovering_partitions)"}
        ),
        Panel("Rebalances", {"{{change}}": "sum by (change) (increase(triggers_rebalances_total[$__rate_interval]))"}),
        Panel("Aborted transactions", {"{{reason}}": _rate("triggers_aborted_transactions_total", "reason")}),
        Panel(
            "Guard against skipped records",
            {
                "{{outcome}}": _rate("triggers_event_gaps_total", "outcome"),
                "standstills": _rate("triggers_standstills_total"),
            },
        ),
        Panel("Timers due and not applied", {"timers": "sum(triggers_due_timers)"}),
        Panel("Delay of the oldest timer", {"delay": "max(triggers_timer_delay_seconds)"}, "s"),
        Panel("Sessions in memory", {"{{instance}}": "triggers_cached_sessions"}),
        Panel("Sessions loaded", {"loads": _rate("triggers_loaded_sessions_total")}, "ops"),
        Panel("RocksDB: files", {"{{instance}}": "triggers_rocksdb_file_bytes"}, "bytes"),
        Panel("RocksDB: memory", {"{{use}}": "sum by (use) (triggers_rocksdb_memory_bytes)"}, "bytes"),
        Panel("RocksDB: to compact", {"{{instance}}": "triggers_rocksdb_pending_compaction_bytes"}, "bytes"),
    ],
    "Tasks": [
        Panel("Runs started", {"{{task}}": _rate("triggers_celery_runs_started_total", "task")}, "ops"),
        Panel(
            "Runs failed",
            {"{{task}} {{exception}}": _rate("triggers_celery_runs_failed_total", "task", "exception")},
            "ops",
        ),
        Panel(
            "Commands in Celery workers",
            {
                "in hand": "sum(triggers_celery_commands_in_hand)",
                "with Celery": "sum(triggers_celery_commands_running)",
            },
        ),
        Panel("Wait for a slot, p95", {"{{task}}": _quantile(0.95, "triggers_celery_queue_seconds", "task")}, "s"),
        Panel("Time of a run, p95", {"{{task}}": _quantile(0.95, "triggers_celery_run_seconds", "task")}, "s"),
        Panel(
            "From trigger to start and to end, p95",
            {
                "start": _quantile(0.95, "triggers_celery_trigger_to_start_seconds"),
                "end": _quantile(0.95, "triggers_celery_trigger_to_end_seconds"),
            },
            "s",
        ),
        Panel("Dispatched", {"commands": _rate("triggers_dispatched_commands_total")}, "ops"),
        Panel("Dispatcher's backlog", {"{{queue}}": "sum by (queue) (triggers_dispatcher_backlog_commands)"}),
        Panel("Hooks", {"{{outcome}}": _rate("triggers_hook_decisions_total", "outcome")}, "ops"),
    ],
    "HTTP API and processes": [
        Panel("Requests by status", {"{{status}}": _rate("triggers_http_requests_total", "status")}, "reqps"),
        Panel(
            "Time of a request, p99",
            {"{{operation}}": _quantile(0.99, "triggers_http_request_seconds", "operation")},
            "s",
        ),
        Panel("Events in flight", {"{{instance}}": "triggers_api_events_in_flight"}),
        Panel("CPU", {"{{job}} {{instance}}": 'rate(process_cpu_seconds_total{job=~"triggers-.+"}[$__rate_interval])'}),
        Panel("Memory", {"{{job}} {{instance}}": 'process_resident_memory_bytes{job=~"triggers-.+"}'}, "bytes"),
        Panel("Versions", {"{{process}} {{version}}": "count by (process, version) (triggers_build_info)"}),
    ],
}


def dashboard() -> dict[str, object]:
    """Returns the dashboard as Grafana stores it."""
    panels: list[dict[str, object]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_heading(len(panels) + 1, title, top))
        panels += [_graph(len(panels) + 1 + place, panel, place, top + 1) for place, panel in enumerate(row)]
        top += 1 + _HEIGHT * -(-len(row) // _COLUMNS)
    return {
        "uid": "triggers",
        "title": "Triggers on Kafka",
        "tags": ["kafka", "triggers"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def _heading(number: int, title: str, top: int) -> dict[str, object]:
    return {"id": number, "type": "row", "title": title, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}}


def _graph(number: int, panel: Panel, place: int, top: int) -> dict[str, object]:
    targets = [
        {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend, "datasource": _DATASOURCE}
        for index, (legend, query) in enumerate(panel.queries.items())
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _DATASOURCE,
        "gridPos": {
            "x": place % _COLUMNS * _WIDTH,
            "y": top + place // _COLUMNS * _HEIGHT,
            "w": _WIDTH,
            "h": _HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def text() -> str:
    """Returns the file's text."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
