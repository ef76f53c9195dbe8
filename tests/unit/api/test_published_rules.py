"""The API publishes no rules in which `triggers check` finds an error, in either edition."""

from __future__ import annotations

import httpx
import pytest

from triggers.api.application import application
from triggers.api.authentication import Authentication
from triggers.api.services import Services
from triggers.settings import Settings

DEADLOCK = {"t_a": {"after": ["t_a"], "run": "app.a"}}


@pytest.mark.parametrize("rules", [DEADLOCK, {"$edition": 2, **DEADLOCK}], ids=["edition 1", "edition 2"])
async def test_rules_with_an_error_are_refused_before_kafka_is_needed(rules: dict[str, object]) -> None:
    transport = httpx.ASGITransport(application(Services(Settings()), Authentication([])))

    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post("/v1/rules/orders", json={"configuration": rules})

    assert response.status_code == 422
    assert [error["detail"].partition(":")[0] for error in response.json()["errors"]] == ["deadlock"]
