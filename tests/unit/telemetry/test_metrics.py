from __future__ import annotations

from prometheus_client.metrics import MetricWrapperBase

from triggers.telemetry.metrics import Metrics


def test_every_metric_is_named_after_the_product_and_explained() -> None:
    metrics = [value for value in vars(Metrics()).values() if isinstance(value, MetricWrapperBase)]

    assert len(metrics) > 10
    for metric in metrics:
        described = next(iter(metric.describe()))
        assert described.name.startswith("triggers_")
        assert len(described.documentation) > 10


def test_the_text_is_in_the_format_of_prometheus() -> None:
    metrics = Metrics()

    metrics.dead_letters.labels("bad json").inc()

    assert b'triggers_dead_letters_total{reason="bad json"} 1.0' in metrics.text()
