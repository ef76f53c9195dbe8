"""Writes docs/metrics.md from the catalogue of metrics: python -m tests.docs.metrics_page."""

from __future__ import annotations

from tests.docs.reference_pages import DOCS

from triggers.telemetry.catalogue import CATALOGUE, EVERYWHERE, MeasuredProcess
from triggers.telemetry.families import CounterFamily, Family, HistogramFamily

PAGE = DOCS / "metrics.md"

_HEAD = """# Metrics

<!-- Written by `python -m tests.docs.metrics_page`; do not edit. -->

Every process can be scraped by Prometheus. An agent serves `/metrics` on its web port (`TRIGGERS_WEB_PORT`), always.
The other processes serve it on a port of its own if `TRIGGERS_METRICS_PORT` is set.
A port that is in use ends the process with one line that names it.
`triggers dev` gives every process a port, prints them all, and writes `prometheus.yml` into the folder of its data.
Its jobs have the names that the alerts expect. Add `"rule_files": ["/path/to/rules.yml"]` to it to see the alerts.
[The runbook](operations/runbook.md) says which figures to alert on. `deploy/monitoring/` has the rules and a dashboard.

- Counters begin at 0 when a process starts, so use `rate` and `increase`.
- There are no `_created` series.
- A histogram `x` has the series `x_bucket`, `x_sum` and `x_count`.
- Labels whose values are names of an application have a limited number of values; the rest is `other`.
- Gauges of the state, such as `triggers_instances`, cover the partitions of one agent. Sum them over all agents.
- The main process of a Celery worker keeps its metrics, whatever its pool is, so there is nothing to set up for
  prefork. They cover the commands that the worker reads from Kafka. Workers behind `triggers dispatcher` take
  their tasks from the application's broker and expose none.
- An agent's metrics take some 15 µs of CPU time for each transaction, no matter how many events it has. That is
  1.5 µs for an event in batches of 10, and next to nothing in large ones.
- An OpenTelemetry collector scrapes the same ports with its Prometheus receiver. Metrics are not pushed by OTLP.
- Times between processes use the clocks of both. One that would be negative counts as 0.
"""

_TITLES = {
    MeasuredProcess.AGENT: "Agents (`triggers worker`)",
    MeasuredProcess.CELERY_WORKER: "Celery workers",
    MeasuredProcess.DISPATCHER: "The dispatcher (`triggers dispatcher`)",
    MeasuredProcess.HOOKS: "Hooks (`triggers hooks`)",
    MeasuredProcess.API: "The HTTP API (`triggers api serve`)",
    MeasuredProcess.CONSOLE: "The console (`triggers console`)",
}


def metrics_page() -> str:
    """Return the text of docs/metrics.md."""
    parts = [_HEAD, *(_section(_TITLES[process], CATALOGUE[process]) for process in MeasuredProcess)]
    return "\n".join([*parts, _section("All of them", EVERYWHERE)])


def _section(title: str, families: tuple[Family, ...]) -> str:
    rows = [_row(family) for family in families]
    return "\n".join((f"## {title}\n", "| metric | kind | labels | unit | |", "|---|---|---|---|---|", *rows, ""))


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    text = family.help
    if isinstance(family, CounterFamily) and family.values:
        text += f" Values: {', '.join(family.values)}."
    if isinstance(family, HistogramFamily):
        text += f" Buckets: {', '.join(f'{limit:g}' for limit in family.buckets)}."
    return f"| `{family.name}` | {family.kind} | {labels} | {family.unit} | {text} |"


if __name__ == "__main__":
    PAGE.write_text(metrics_page())
