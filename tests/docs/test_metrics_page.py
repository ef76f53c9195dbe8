"""docs/metrics.md agrees with the catalogue of metrics."""

from __future__ import annotations

from tests.docs.metrics_page import PAGE, metrics_page


def test_the_page_of_the_metrics_is_current() -> None:
    assert PAGE.read_text() == metrics_page(), "run `python -m tests.docs.metrics_page`"
