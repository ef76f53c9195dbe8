"""A version of rules with more digits than Python parses is a wrong call on every surface, and no failure of it."""

from __future__ import annotations

import httpx
import pytest
from click.testing import CliRunner
from tests.support.console_client import console
from tests.support.console_log import log_events
from tests.support.running_installation import RunningInstallation, shop

from triggers.api.application import application
from triggers.api.authentication import Authentication
from triggers.api.services import Services
from triggers.cli.program import main
from triggers.console import FileSource
from triggers.console.job_forms import change_of
from triggers.errors import CallError
from triggers.jobs.records import Action
from triggers.settings import Settings

HUGE = "9" * 5_000
"""`int` raises ValueError for more than 4,300 digits."""


@pytest.mark.parametrize(
    "call",
    [
        ("list", "--rules", f"orders@{HUGE}"),
        ("replay", "--where", "--rules", f"orders@{HUGE}"),
        ("rules", "show", "orders", "--version", HUGE),
        ("rules", "diff", "orders", HUGE),
        ("rules", "adopt", "orders", "s", "--version", HUGE),
    ],
    ids=lambda call: " ".join(word for word in call if len(word) < 100),
)
def test_the_command_line_asks_for_another_call(monkeypatch: pytest.MonkeyPatch, call: tuple[str, ...]) -> None:
    monkeypatch.setenv("TRIGGERS_BROKERS", "127.0.0.1:1")

    refused = CliRunner().invoke(main, call)

    assert refused.exit_code == 2, refused.output


@pytest.mark.parametrize(
    "path", [f"/sessions?rules=orders@{HUGE}", f"/rules/published/orders?from={HUGE}", f"/sessions?asked_at={HUGE}"]
)
async def test_a_page_of_the_console_is_a_400(path: str) -> None:
    async with console(FileSource(log_events()), RunningInstallation(shop())) as client:
        response = await client.get(path)

    assert response.status_code == 400


def test_the_form_of_a_job_is_refused() -> None:
    with pytest.raises(CallError, match="the version must be a number from 1 to"):
        change_of(Action.ADOPT, {"adopt": [f"orders@{HUGE}"]})


@pytest.mark.parametrize("path", ["/v1/sessions?rules=orders&version=", "/v1/rules/orders?version="])
async def test_a_parameter_of_the_api_is_a_400(path: str) -> None:
    transport = httpx.ASGITransport(application(Services(Settings()), Authentication([])))

    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get(path + HUGE)

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/sessions/s/rules", '{"rules": "orders", "version": %s}'),
        ("/v1/jobs", '{"action": "adopt", "where": {"prefix": "o"}, "rules": "orders", "version": %s}'),
    ],
)
async def test_a_body_for_the_api_is_a_400(path: str, body: str) -> None:
    transport = httpx.ASGITransport(application(Services(Settings()), Authentication([])))

    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post(path, content=body % HUGE, headers={"content-type": "application/json"})

    assert response.status_code == 400, response.text
    assert "Integer value out of range" in response.json()["detail"]
