"""`triggers list` and `triggers topics lag --watch`, against a real worker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

RULES = {
    "t_bill": {"after": ["order"], "run": "shop.bill"},
    "t_ship": {"after": ["t_bill", "address"], "run": "shop.ship"},
}
HOSTILE = "order 2 <b>\x1b[31m'\n"
TRACEBACK = 'Traceback (most recent call last):\n  File "shop.py", line 3, in bill\nshop.Declined: card 17 was declined'


@pytest.fixture
def shop(settings: Settings) -> Iterator[Settings]:
    """Five orders: two have failed for the same reason, one of them with an address."""
    create_topics(settings)
    application = Application(settings)
    for number in range(5):
        uid = HOSTILE if number == 2 else f"order {number}"
        application.fire(uid, {"configuration": RULES})
        application.fire(uid, {"trigger": "order"})
        if number in {1, 2}:
            application.fire(uid, FAILURE)
    application.fire("order 1", {"trigger": "address"})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield settings


FAILURE = {
    "type": "failed",
    "instance": "t_bill#0",
    "exception_type": "shop.Declined",
    "exception_message": "card 17 was declined",
    "exception_info": TRACEBACK,
}


def uids(settings: Settings, *options: str) -> list[str]:
    page = run_json(settings, "list", *options)
    assert page["missing"] == []
    return [session["uid"] for session in page["sessions"]]


def test_sessions_are_found_by_what_is_wrong_with_them(shop: Settings) -> None:
    failed = ["order 1", HOSTILE]

    assert uids(shop, "--failed") == uids(shop, "--status", "failed", "--task", "t_bill") == failed
    assert uids(shop, "--exception", "Declined", "--message", "CARD 17") == failed
    assert uids(shop, "--stuck") == ["order 1", HOSTILE]
    assert uids(shop, "--missing", "t_bill", "--trigger", "address") == ["order 1"]
    assert uids(shop, "--status", "scheduled", "--prefix", "order") == ["order 0", "order 3", "order 4"]
    assert uids(shop, "--older-than", "1h") == uids(shop, "--rules", "orders@2") == []
    assert run(shop, "list", "--rules", "orders@2").stdout == "No session matches.\n"


def test_a_misspelt_status_is_refused_and_one_that_no_instance_has_now_is_not(shop: Settings) -> None:
    refused = run(shop, "list", "--status", "faild")
    in_bulk = run(shop, "cancel", "--where", "--dry-run", "--status", "faild")

    assert refused.returncode == in_bulk.returncode == 2
    assert "status is 'faild', which no instance has; it must be one of unstarted, scheduled" in refused.stderr
    assert uids(shop, "--status", "running") == []


def test_the_list_of_failed_sessions_begins_with_the_reasons(shop: Settings) -> None:
    listed = run(shop, "list", "--failed")

    assert listed.returncode == 0, listed.stderr
    assert "Failed now: 2" in listed.stdout
    (reason,) = [line for line in listed.stdout.splitlines() if "shop.Declined" in line and "t_bill#0" not in line]
    assert "card 17 was declined" in reason
    assert r"order 2 <b>\x1b[31m'\n" in listed.stdout
    assert "\x1b[31m" not in listed.stdout
    assert "others wait for t_bill" in run(shop, "list", "--stuck").stdout


def test_the_status_of_all_instances_is_counted_by_task(shop: Settings) -> None:
    shown = run(shop, "status").stdout
    overview = run_json(shop, "status", "--task", "t_bill")

    rows = [[word for word in line.split() if word != "│"] for line in shown.splitlines() if "t_bill" in line]
    assert rows[0] == ["t_bill", "3", "2"]
    assert "Failed now: 2" in shown
    assert overview["statuses"]["counts"] == [
        {"task": "t_bill", "status": "failed", "instances": 2},
        {"task": "t_bill", "status": "scheduled", "instances": 3},
    ]
    assert [group["instances"] for group in overview["failures"]["groups"]] == [2]


def test_top_shows_what_the_installation_does(shop: Settings) -> None:
    shown = run(shop, "top", "--times", "1").stdout
    polled = run(shop, "top", "--times", "2", "--every", "1s", "--json").stdout
    lines = [json.loads(line) for line in polled.splitlines()]

    words = " ".join(shown.split())
    assert "all tasks" in words
    assert "card 17 was declined" in words
    assert "dead letters 0" in words
    assert "stuck sessions 2, order" in words
    assert r"order 2 <b>\x1b[31m'\n for" in words
    assert [line["missing"] for line in lines] == [{}, {}]
    assert lines[0]["statuses"]["totals"] == {"unstarted": 1, "scheduled": 3, "failed": 2}
    assert [sum(map(len, line["workers"]["partitions"].values())) for line in lines] == [shop.partitions] * 2
    assert lines[1]["lag"]["totals"][0]["written_per_s"] is not None


def test_a_cursor_continues_after_its_page(shop: Settings) -> None:
    first = run(shop, "list", "--limit", "2")
    page = run_json(shop, "list", "--limit", "2")

    assert page["cursor"].partition(".")[2] in first.stdout
    assert uids(shop, "--limit", "9", "--cursor", page["cursor"]) == [HOSTILE, "order 3", "order 4"]
    refused = run(shop, "list", "--failed", "--cursor", page["cursor"])
    assert (refused.returncode, "another query" in refused.stderr) == (2, True)
    no_cursor = run(shop, "list", "--cursor", "b3JkZXItMTc")
    assert (no_cursor.returncode, "'b3JkZXItMTc' is no cursor" in no_cursor.stderr) == (2, True)


def test_durations_count_back_from_the_first_page(shop: Settings) -> None:
    filters = ("--older-than", "0s", "--unchanged-for", "0s", "--limit", "2")
    page = run_json(shop, "list", *filters)

    assert uids(shop, *filters, "--cursor", page["cursor"]) == [HOSTILE, "order 3"]


def test_a_session_is_shown_with_the_reason_of_its_failure(shop: Settings) -> None:
    shown = run(shop, "show", "order 1").stdout
    (instance, _) = run_json(shop, "show", "order 1")["instances"]

    assert "t_bill#0 failed with shop.Declined: card 17 was declined" in shown
    assert '    File "shop.py", line 3, in bill' in shown
    assert instance["exception"] == {
        "type": "shop.Declined",
        "message": "card 17 was declined",
        "context": {},
        "traceback": TRACEBACK.splitlines(),
    }
    assert "It failed with shop.Declined: card 17 was declined." in run(shop, "explain", "order 1").stdout


def test_the_lag_is_watched_with_totals_and_rates(shop: Settings) -> None:
    watched = run(shop, "topics", "lag", "--watch", "--times", "2", "--every", "1s", "--json")

    first, second = map(json.loads, watched.stdout.splitlines())
    events = Topology(shop.namespace).events
    (before,) = [total for total in first["totals"] if total["topic"] == events]
    (after,) = [total for total in second["totals"] if total["topic"] == events]
    assert (before["written_per_s"], before["partitions"], before["records"]) == (None, shop.partitions, 0)
    assert after["written_per_s"] >= 0
    assert len(second["partitions"]) == sum(total["partitions"] for total in second["totals"])
    assert "Totals" in run(shop, "topics", "lag").stdout
