"""The pages about all sessions, as a browser without scripts receives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlencode

import pytest
from tests.support.console_client import ConsoleClient, console
from tests.support.console_log import log_events
from tests.support.html_text import HtmlText
from tests.support.indexed_rows import IndexedRows
from tests.support.running_installation import HOSTILE, RunningInstallation, shop, shop_letters

from triggers.console import FileSource
from triggers.errors import BrokerUnavailable
from triggers.overview.installation import InstallationLag, InstallationReader, WorkerPartitions
from triggers.queries import MissingPartition, RestoringPartition

AWAY = [MissingPartition(1, "no worker owns it"), MissingPartition(4, "it moves <b>now</b>")]


@pytest.fixture
async def client() -> AsyncIterator[ConsoleClient]:
    rows = shop()
    async with _console(RunningInstallation(rows, shop_letters(rows.now))) as client:
        yield client


def _console(installation: InstallationReader | None) -> AbstractAsyncContextManager[ConsoleClient]:
    return console(FileSource(log_events()), installation)


async def _page(client: ConsoleClient, path: str, status: int = 200) -> HtmlText:
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    return HtmlText(response.text)


def _found(page: HtmlText) -> list[str]:
    return [link.removeprefix("/sessions/") for link in page.links if link.startswith("/sessions/")]


async def test_the_overview_counts_and_leads_on(client: ConsoleClient) -> None:
    page = await _page(client, "/")

    assert "20 failed" in page.text
    assert "2 dead letters" in page.text
    assert "shop.errors.Declined the card ending in 4242 was declined 12" in page.text
    declined = urlencode(
        {
            "status": "failed",
            "task": "t_charge",
            "exception": "shop.errors.Declined",
            "message": "the card ending in 4242 was declined",
        }
    )
    assert f"/sessions?{declined}" in page.links
    assert len(_found(await _page(client, f"/sessions?{declined}"))) == 12
    assert "shop.agents shop.events 18 36 360.0 360.0" in page.text
    assert "http://worker-1:6066 0 2" in page.text
    assert "orders v2 order-*" in page.text
    assert "orders v1" not in page.text


async def test_every_link_of_the_overview_leads_somewhere(client: ConsoleClient) -> None:
    links = {link for link in (await _page(client, "/")).links if link.startswith("/") and _is_of_all(link)}

    assert len(links) > 20
    for link in links:
        await _page(client, link)


def _is_of_all(link: str) -> bool:
    """Returns whether a page is about all sessions; those of single ones come from another source."""
    return not link.startswith("/sessions/")


async def test_an_empty_installation_says_what_to_do() -> None:
    async with _console(RunningInstallation(IndexedRows())) as client:
        overview, search, letters = [await _page(client, path) for path in ("/", "/sessions", "/dead-letters")]

    for words in ("There are no instances yet.", "Nothing is failed.", "No session is stuck.", "no open dead letters"):
        assert words in overview.text
    assert "There are no sessions yet." in search.text
    assert "There are no open dead letters." in letters.text


async def test_a_part_that_does_not_answer_leaves_the_others() -> None:
    class LostKafka(RunningInstallation):
        def measure_lag(self) -> InstallationLag:
            raise BrokerUnavailable("no broker at <kafka:9092> answers")

    async with _console(LostKafka(shop())) as client:
        page = await _page(client, "/")

    assert "Nobody knows this now: no broker at <kafka:9092> answers" in page.text
    assert "20 failed" in page.text


async def test_the_overview_can_follow(client: ConsoleClient) -> None:
    response = await client.get("/?refresh=1")
    assert '<meta http-equiv="refresh" content="5">' in response.text
    assert "refresh is 0; it must be from 1 to 3600" in (await _page(client, "/?refresh=0", 400)).text


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({}, 61),
        ({"prefix": "order-00"}, 10),
        ({"status": "failed"}, 20),
        ({"status": "failed", "task": "t_pack"}, 7),
        ({"exception": "Declined"}, 12),
        ({"message": "WAREHOUSE"}, 7),
        ({"missing": "t_charge"}, 34),
        ({"seen": "orderCancelled"}, 0),
        ({"rules": "orders@2"}, 0),
        ({"older_than": "1d"}, 61),
        ({"unchanged_for": "1d", "status": "running"}, 0),
    ],
)
async def test_filters_find_what_list_finds(client: ConsoleClient, filters: dict[str, str], number: int) -> None:
    page = await _page(client, f"/sessions?{urlencode({'limit': '1000'} | filters)}")

    assert len(_found(page)) == number
    assert number or "No session matches all of these filters." in page.text


async def test_pages_follow_each_other_and_keep_the_filters(client: ConsoleClient) -> None:
    found: list[str] = []
    path = f"/sessions?{urlencode({'status': 'failed', 'older_than': '1h', 'limit': '8'})}"
    for size in (8, 8, 4):
        page = await _page(client, path)
        found += _found(page)
        assert len(_found(page)) == size
        path = next((link for link in page.links if "cursor=" in link), "")

    assert path == ""
    assert len(set(found)) == 20
    assert "This is the last page." in page.text


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("older_than=soon", "older_than: 'soon' is not a duration"),
        ("rules=orders@new", "rules are 'orders@new', but the version must be a number"),
        ("status=running&message=x", "only failed instances have an exception"),
        ("status=typo", "status is 'typo', which no instance has; it must be one of unstarted, scheduled, running"),
        ("status=Failed&prefix=order", "status is 'Failed', which no instance has"),
        ("limit=0", "limit is 0; it must be from 1"),
        ("cursor=x", "is no cursor"),
        ("stauts=failed", "there is no parameter 'stauts'; known are: prefix, status, task"),
    ],
)
async def test_a_filter_that_is_wrong_says_so(client: ConsoleClient, query: str, why: str) -> None:
    assert why in (await _page(client, f"/sessions?{query}", 400)).text


async def test_a_search_that_has_found_nothing_yet_says_how_far_it_has_come_and_goes_on() -> None:
    async with _console(RunningInstallation(shop(), max_rows=10)) as client:
        pages = [await _page(client, "/sessions?seen=unknown")]
        while further := [link for link in pages[-1].links if "cursor=" in link]:
            assert len(further) == 1
            pages.append(await _page(client, further[0]))
        found = await _page(client, "/sessions?status=failed&task=t_pack&limit=1")

    assert "Nothing has matched so far. The search has examined 11 rows and has not seen all sessions" in pages[0].text
    assert "The search has examined 22 rows" in pages[1].text
    assert "No session matches all of these filters. The search has examined 67 rows." in pages[-1].text
    assert "First page" not in pages[-1].text, "nothing was on it"
    assert not any("examined=" in link for link in found.links), "a page with sessions waits for its reader"


async def test_a_page_that_lacks_partitions_names_them() -> None:
    async with _console(RunningInstallation(shop(), missing=AWAY)) as client:
        search, overview = await _page(client, "/sessions"), await _page(client, "/")

    assert "This page is not complete." in search.text
    assert "partition 4: it moves <b>now</b>" in search.text
    assert "Instances of the partitions 1, 4 are missing" in overview.text
    assert "No worker owns the partitions 1, 4." in overview.text


async def test_dead_letters_are_listed_and_opened(client: ConsoleClient) -> None:
    page = await _page(client, "/dead-letters")
    every = await _page(client, "/dead-letters?state=any")
    one = await _page(client, "/dead-letters/0/1")

    letters = [link for link in page.links if link.startswith("/dead-letters/")]
    assert letters == ["/dead-letters/1/5", "/dead-letters/0/1"], "the newest comes first"
    assert "redriven by ada@ops" in every.text
    assert "the value ends at byte 17 State open Original record shop.events 1/41" in one.text
    assert '{"trigger": "orde' in one.text
    assert "there is no dead letter at 3/3" in (await _page(client, "/dead-letters/3/3", 404)).text
    misspelt = await _page(client, "/dead-letters?reson=bad+json", 400)
    assert "there is no parameter 'reson'; known are: reason" in misspelt.text
    assert "state is 'x'; it must be one of open" in (await _page(client, "/dead-letters?state=x", 400)).text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sessions?limit=100",
        "/dead-letters",
        "/dead-letters/1/5",
        f"/sessions?{urlencode({'prefix': HOSTILE})}",
        "/rules/published",
    ],
)
async def test_what_users_and_events_write_is_text(client: ConsoleClient, path: str) -> None:
    page = await _page(client, path)

    assert page.scripts == ["/static/console.js", "/static/live.js"]
    assert page.images == ["/static/icon.svg"]
    assert any(text in page.text for text in ("<script>alert(", "onerror=alert(2)")), "it is shown as it was written"
    assert "49" not in page.text.split("order-<script>")[-1][:40], "templates in values are not rendered"


async def test_published_rules_have_their_versions_and_what_changed(client: ConsoleClient) -> None:
    every = await _page(client, "/rules/published")
    newest = await _page(client, "/rules/published/orders")
    first = await _page(client, "/rules/published/orders?from=1&to=1")

    assert "orders v2 order-*" in every.text
    assert "From version 1 to 2" in newest.text
    changed = [line for line in newest.lines if line.startswith(("+", "-"))]
    assert {"+  },", '+  "t_pack": {', '+      "t_charge",'} <= set(changed)
    assert not any("shop.charge" in line for line in changed), "what stays the same is no change"
    assert "ada@ops" in newest.text
    assert '"run": "shop.charge"' in first.text
    assert "have no version 7; the newest is 2" in (await _page(client, "/rules/published/orders?to=7", 404)).text
    assert "nobody has published rules with the name 'x'" in (await _page(client, "/rules/published/x", 404)).text


async def test_a_recorded_log_is_searched_by_uid_and_says_what_needs_workers() -> None:
    async with _console(None) as client:
        overview, search = await _page(client, "/"), await _page(client, "/sessions?prefix=s-")
        nothing, letters = await _page(client, "/sessions?prefix=q-"), await _page(client, "/dead-letters")
        refused = await _page(client, "/sessions?status=failed", 400)

    assert _found(search) == ["s-done", "s-stuck"]
    assert len(_found(overview)) == 3
    assert "This console shows a recorded log." in overview.text
    assert "begins with “q-”" in nothing.text
    assert "A recorded log has no dead letters." in letters.text
    assert "a recorded log is searched by the beginning of the UID only" in refused.text


async def test_the_old_name_of_the_icon_leads_to_it(client: ConsoleClient) -> None:
    response = await client.get("/favicon.ico")
    assert response.headers["location"] == "/static/icon.svg"


class Restoring(RunningInstallation):
    """An installation in which a worker restores partitions, and another one does not answer."""

    def list_workers(self) -> WorkerPartitions:
        return WorkerPartitions(
            partitions={"http://worker-1:6066": [0, 1, 2], "http://worker-2:6066": [4]},
            unowned=[3],
            restoring=[RestoringPartition(partition=1, rows=200_000, restored=50_000), RestoringPartition(partition=2)],
            silent={"http://worker-2:6066": "worker http://worker-2:6066 does not answer: <b>refused</b>"},
        )


async def test_the_overview_says_how_far_restores_have_come_and_who_does_not_say_it() -> None:
    rows = shop()
    async with _console(Restoring(rows, shop_letters(rows.now))) as client:
        page = await _page(client, "/")

    assert "partition 1: 50,000 of 200,000 rows" in page.text
    assert "partition 2: waits for the restore before it" in page.text
    assert "does not answer: <b>refused</b>" in page.text
    assert "No worker owns the partition 3. Its sessions stand still" in page.text


async def test_dead_letters_are_filtered_by_what_a_job_would_change(client: ConsoleClient) -> None:
    every = await _page(client, "/dead-letters")
    some = await _page(client, "/dead-letters?detail=BYTE+17&prefix=order-")
    none = await _page(client, "/dead-letters?topic=elsewhere")

    assert "bad json 1" in every.text
    assert "order-007" in some.text
    assert "bad key" not in some.text
    assert "There are no open dead letters that match all of these filters" in none.text
    await _page(client, f"/dead-letters?reason={'x' * 1025}", 400)
