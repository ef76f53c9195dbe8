"""Whether spans are exported depends on OpenTelemetry's variables and on the extra, and never fails a process."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from triggers.settings import TraceExport
from triggers.telemetry.tracing import export_spans, open_sink

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("variables", "is_on"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_spans_are_exported_if_there_is_an_endpoint_and_nothing_forbids_it(
    variables: dict[str, str], is_on: bool
) -> None:
    assert TraceExport.from_env(variables).is_on is is_on


@pytest.mark.parametrize(
    "variables", [{"OTEL_SERVICE_NAME": "shop"}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.version=1"}]
)
def test_a_name_in_the_variables_takes_precedence_over_ours(variables: dict[str, str]) -> None:
    assert TraceExport.from_env(ENDPOINT | variables).has_service_name
    assert not TraceExport.from_env(ENDPOINT).has_service_name


def test_without_an_endpoint_nothing_is_exported() -> None:
    assert open_sink("triggers-worker", "w0", TraceExport()) is None
    assert not export_spans("triggers-celery", TraceExport())


def test_a_process_without_the_extra_says_once_how_to_get_it_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "triggers.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with caplog.at_level(logging.WARNING):
        sink = open_sink("triggers-worker", "w0", TraceExport.from_env(ENDPOINT))

    (line,) = caplog.messages
    assert sink is None
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set")
    assert "pip install 'kafka-triggers[otel]'" in line


@pytest.mark.parametrize("module", ["triggers", "triggers.cli", "triggers.celery", "triggers.worker.app"])
def test_an_import_of_ours_does_not_import_opentelemetry(module: str) -> None:
    program = f"import sys, {module}; print([name for name in sys.modules if name.startswith('opentelemetry')])"

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert imported == "[]\n"
