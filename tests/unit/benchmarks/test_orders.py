"""Copied orders are what the engine and the agent's index would have written, but for the time."""

from __future__ import annotations

from benchmarks.orders import KINDS, Copies, has_first_rules, kind_of, uid_of
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import view_session
from triggers.queries import SessionQuery
from triggers.queries.partition_search import PartitionSearch
from triggers.queries.partition_totals import count_statuses

ORDERS = 2000
FAR = 10**9


def copied(orders: int) -> MemoryRows:
    copies = Copies()
    rows = MemoryRows(Copies.shared())
    for number in range(orders):
        rows.update(copies.rows_of(number))
    rows.update(copies.index())
    return rows


def test_every_kind_of_order_is_among_them_and_has_the_instances_that_its_events_leave() -> None:
    rows, plans = copied(ORDERS), Plans()
    statuses = {
        kind_of(number): sorted(
            (each.name, each.status) for each in view_session(Session(uid_of(number).decode(), rows, plans)).instances
        )
        for number in range(ORDERS)
    }

    assert statuses.keys() == KINDS.keys()
    assert statuses["done"] == [("t_charge#0", "finished"), ("t_pack#0", "finished"), ("t_ship#0", "finished")]
    assert statuses["declined"] == [("t_charge#0", "failed"), ("t_pack#0", "scheduled")]
    assert ("t_wrap#0", "scheduled") in statuses["gift"]
    assert ("t_ship#0", "failed") in statuses["broken"]


def test_searches_and_counts_see_the_copies_as_sessions() -> None:
    rows, plans = copied(ORDERS), Plans()

    def found(query: SessionQuery) -> set[int]:
        page = PartitionSearch(rows, plans, query, FAR).find("", FAR, FAR)
        return {int(session.uid.removeprefix("order-")) for session in page.sessions}

    def of_kind(*kinds: str) -> set[int]:
        return {number for number in range(ORDERS) if kind_of(number) in kinds}

    assert found(SessionQuery()) == set(range(ORDERS))
    assert found(SessionQuery(exception="Declined")) == of_kind("declined")
    assert found(SessionQuery(status="failed")) == of_kind("declined", "slow warehouse", "broken")
    assert found(SessionQuery(seen="orderCancelled")) == of_kind("cancelled")
    assert found(SessionQuery(rules="orders", version=1)) == set(filter(has_first_rules, range(ORDERS)))
    failed = sum(each.instances for each in count_statuses(rows).counts if each.status == "failed")
    assert failed == len(of_kind("declined", "slow warehouse", "broken"))
