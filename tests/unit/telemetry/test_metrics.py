from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from tests.support.scraped import differences, parse, scrape, value_of

from triggers.celery.dispatcher import DispatchMetrics
from triggers.celery.run_metrics import RunMetrics
from triggers.errors import SettingsError
from triggers.hooks.hook_metrics import HookMetrics
from triggers.settings import Settings
from triggers.telemetry.agent_families import FAILURES
from triggers.telemetry.bounded_counter import MAX_FAILURES, OTHER, FailureCounter
from triggers.telemetry.catalogue import MeasuredProcess, all_families
from triggers.telemetry.exposition import new_registry, serve_metrics
from triggers.telemetry.families import CounterFamily, HistogramFamily
from triggers.telemetry.metrics import Metrics


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, family in all_families().items():
        assert name.startswith(("triggers_", "process_")), name
        assert name.endswith("_total") is isinstance(family, CounterFamily), name
        assert not family.unit or name.removesuffix("_total").endswith(f"_{family.unit}"), name
        assert family.unit in {"", "seconds", "bytes"}, name
        assert not {"le", "quantile"} & set(family.labels), name


def test_help_texts_are_sentences() -> None:
    for family in all_families().values():
        assert family.help[0].isupper(), family.name
        assert family.help.endswith("."), family.name
        assert len(family.help) < 300, family.name


def test_buckets_grow() -> None:
    for family in all_families().values():
        if isinstance(family, HistogramFamily):
            assert list(family.buckets) == sorted(set(family.buckets)), family.name


def test_processes_that_need_no_kafka_to_be_scraped_expose_exactly_their_catalogue() -> None:
    registries = {
        MeasuredProcess.CELERY_WORKER: RunMetrics(list, int).registry,
        MeasuredProcess.DISPATCHER: DispatchMetrics(list).registry,
        MeasuredProcess.HOOKS: HookMetrics().registry,
    }

    for process, registry in registries.items():
        assert differences(process, parse(generate_latest(registry).decode())) == [], process


def test_a_family_that_nobody_documented_is_found() -> None:
    registry = HookMetrics().registry
    Gauge("triggers_secret", "Unknown.", registry=registry)

    assert differences(MeasuredProcess.HOOKS, parse(generate_latest(registry).decode())) == [
        "triggers_secret is in no catalogue"
    ]


def test_the_text_is_in_the_format_of_prometheus() -> None:
    metrics = Metrics()

    metrics.dead_letters.labels("bad json").inc()

    assert b'triggers_dead_letters_total{reason="bad json"} 1.0' in metrics.text()


def test_there_are_no_created_series() -> None:
    metrics = Metrics()
    metrics.events.labels("applied").inc()

    assert b"_created" not in metrics.text()


def test_failures_beyond_the_limit_are_one_series() -> None:
    registry = CollectorRegistry()
    counter = FailureCounter(FAILURES, registry)

    counter.count({("t_task", f"Error{number}"): 1 for number in range(MAX_FAILURES + 2)})

    families = parse(generate_latest(registry).decode())
    assert value_of(families, FAILURES.name, task=OTHER) == 2
    assert len(families[FAILURES.name].samples) == MAX_FAILURES + 1


def test_metrics_are_served_until_they_are_closed() -> None:
    with _free_port() as port:
        settings = Settings(metrics_port=port, metrics_host="127.0.0.1")
    close = serve_metrics(settings, new_registry(MeasuredProcess.HOOKS))

    families = scrape(port)
    close()

    assert value_of(families, "triggers_build_info", process="hooks") == 1
    with pytest.raises(URLError):
        scrape(port)


def test_a_port_in_use_is_an_error_that_names_the_setting() -> None:
    with _free_port() as port:
        settings = Settings(metrics_port=port, metrics_host="127.0.0.1")

        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}: .*TRIGGERS_METRICS_PORT"):
            serve_metrics(settings, new_registry(MeasuredProcess.HOOKS))


@contextmanager
def _free_port() -> Iterator[int]:
    """Occupies a free port within the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]
