"""The API is called with what its document allows, and with mutations of it: never an error of ours, nor an answer that
the document does not have."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.docs.openapi_document import FILE
from tests.support.api_server import api_server
from tests.support.program import run
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings

pytestmark = pytest.mark.broker

BUDGET_S = float(os.environ.get("API_FUZZ_S", "18"))
"""Time for all operations together. `make fuzz-api` takes longer."""
EXAMPLES = max(10, round(BUDGET_S))
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = json.loads(FILE.read_text())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]
CASES = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    # Nothing of an operation without a token and parameters can be mutated.
    if mode is GenerationMode.POSITIVE or DOCUMENT["paths"][operation.path][operation.method]["security"]
]
SHARE_S = BUDGET_S / len(CASES)


@schemathesis.serializer("application/x-ndjson")
def encode_lines(_: object, value: object) -> bytes:
    """Sends what is generated for lines as it is."""
    return value.encode(errors="surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@pytest.fixture(scope="module")
def url(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("fuzz")
    settings = Settings(
        brokers=broker, namespace=f"fuzz{folder.parent.name}{folder.name}".replace("-", ""), partitions=1,
        data_dir=folder / "data", web_port=0, read_timeout_s=60.0, publish_timeout_s=60.0,
    )  # fmt: skip
    assert run(settings, "topics", "create", "--partitions", "1").returncode == 0
    with WorkerProcess(settings, "fuzz") as worker:
        worker.wait_ready()
        with api_server(settings, folder) as (address, _):
            yield address


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_every_answer_is_documented_and_none_is_an_error_of_ours(
    url: str, operation: schemathesis.APIOperation[Any, Any, Any, Any], mode: GenerationMode
) -> None:
    stop_at = time.monotonic() + SHARE_S
    calls = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis_settings(
        max_examples=EXAMPLES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    def call(case: Case[Any]) -> None:
        nonlocal calls
        if calls and time.monotonic() > stop_at:
            return
        calls += 1
        response = case.call(base_url=url, session=session)
        assert response.status_code != 500, case.as_curl_command()
        case.validate_response(response, checks=CHECKS)

    with requests.Session() as session:
        call()
    assert calls
