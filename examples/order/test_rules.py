"""The rules and the tasks, without Kafka and without waiting: python -m pytest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from app import app

if TYPE_CHECKING:
    from triggers.testing import LocalSession

RULES = json.loads(Path(__file__).with_name("rules.json").read_text())


def test_an_order_is_charged_and_shipped(local_session: type[LocalSession]) -> None:
    session = local_session(RULES, app=app)

    session.fire("cardEntered", {"last4": "4242"})
    session.fire("orderPlaced", {"total": 12})

    assert session.kwargs_of("t_ship") == [{"t_charge": {"amount": 12, "card": "4242"}}]
    assert session.statuses["t_remind#0"] == "abandoned"


def test_a_customer_who_enters_no_card_is_reminded(local_session: type[LocalSession]) -> None:
    session = local_session(RULES, app=app)
    session.fire("orderPlaced", {"total": 12})

    session.advance("15m")

    assert session.kwargs_of("t_remind") == [{"orderPlaced": {"total": 12}}]
