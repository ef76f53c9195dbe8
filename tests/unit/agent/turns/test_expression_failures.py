"""An expression that cannot be evaluated counts as false, and a metric counts it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.agent_bench import Bench
from tests.support.records import fire, record

LEAF = {"trigger": "paid", "when": "kwargs.amount > 100"}
RULES = {"$edition": 2, "t_big": {"after": [LEAF], "run": "app.big"}}


@pytest.mark.parametrize(("kwargs", "failures"), [({"amount": 120}, 0), ({"amount": 5}, 0), ({"sum": 120}, 1)])
async def test_a_failed_evaluation_is_counted(kwargs: dict[str, Any], failures: int) -> None:
    bench = Bench()

    batch = bench.commit(record(json.dumps({"configuration": RULES}).encode(), b"s1"), fire("paid", offset=1, **kwargs))

    assert bench.metrics.registry.get_sample_value("triggers_expression_failures_total") == failures
    assert len(batch.outputs) == (1 if kwargs == {"amount": 120} else 0)
