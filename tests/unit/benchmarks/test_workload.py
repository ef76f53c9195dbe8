"""The workloads that every measured program gets."""

from __future__ import annotations

import json
from collections import Counter

from tests.support.memory_session import MemorySession, scheduled
from tests.support.questionnaires import CONFIGURATION

from benchmarks.workload import RULES, Workload, opening_events, page_events
from triggers.codec import EventDecoder
from triggers.core.events import TriggerFired

SMALL = Workload(name="small", in_flight=3, pages=4, waves=2)


def test_every_session_gets_its_opening_and_its_pages_in_order() -> None:
    decoder = EventDecoder(max_payload_bytes=1_000_000)
    by_session: dict[bytes, list[object]] = {}
    for key, value in SMALL.all_events():
        by_session.setdefault(key, []).append(type(decoder.decode(value, None, 0, 0)))

    expected = [type(event) for event in opening_events()] + [TriggerFired] * SMALL.pages
    assert list(by_session.values()) == [expected] * SMALL.sessions
    assert sum(map(len, by_session.values())) == SMALL.events


def test_events_of_the_sessions_of_a_wave_alternate() -> None:
    keys = [key for key, _ in SMALL.all_events()]

    assert keys[:6] == [b"questionnaire-0-000000", b"questionnaire-0-000001", b"questionnaire-0-000002"] * 2
    assert sorted(set(keys)) == SMALL.keys()


def test_a_page_of_an_opened_session_runs_exactly_one_task() -> None:
    session = MemorySession()
    for event in opening_events():
        session.apply(event)

    tasks = [instance for event in page_events()[:50] for instance, _ in scheduled(session.apply(event))]

    assert tasks == [f"t_importResponses#{number}" for number in range(50)]


def test_kwargs_of_a_page_are_200_bytes_of_json() -> None:
    sizes = Counter(len(event.kwargs) for event in page_events() if isinstance(event, TriggerFired))

    assert sizes == {200: 1000}
    assert all(json.loads(event.kwargs) for event in page_events() if isinstance(event, TriggerFired))


def test_a_share_of_the_pages_is_the_first_of_them() -> None:
    assert list(SMALL.only_pages(0.5)) == list(SMALL.only_pages())[: SMALL.page_events // 2]


def test_the_rules_are_those_of_the_example() -> None:
    assert RULES == CONFIGURATION
