"""Times of the console's pages, of the API's reads, and of searches, over many sessions on a real agent.

    python -m benchmarks.read_times pages --sessions 100000
    python -m benchmarks.read_times searches --sessions 1000000

`pages` fills the installation with events through Kafka. `searches` writes the rows of the sessions to the changelog,
which the agent restores, because a million sessions through the agent take ten minutes. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from confluent_kafka import Producer

from benchmarks.contenders import AGENT
from benchmarks.delivery import create_installation, publish
from benchmarks.http_client import HttpAnswer, connect, get
from benchmarks.machine import describe_moment
from benchmarks.orders import NAME, Copies, events_of, has_first_rules, kind_of, publication, uid_of
from benchmarks.processes import Running, run_python
from benchmarks.programs.client_options import producer_options
from benchmarks.read_targets import API, CONSOLE, Searched, Target, pages, searches
from benchmarks.seeding import commit_nothing_read, produce_rows
from triggers.client.consumer_lag import measure_lag
from triggers.client.session_search import SessionSearch
from triggers.dev.broker import running_broker
from triggers.dev.stack import environment
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.storages.published_rules import publish_rules
from triggers.topology import Topology, partition_of

_PATIENCE_S = 300.0
_PAUSE_S = 0.2
_COUNTED = 50
_BAD_EVENTS = 60
_LATER_PAGES = 20
_URL = re.compile(r"http://127\.0\.0\.1:(\d+)")
_PROGRAMS = {CONSOLE: ("console", "--port", "0"), API: ("api", "serve", "--port", "0")}


class _Page(msgspec.Struct):
    """The part of a page of a search that matters here."""

    sessions: list[msgspec.Raw]
    cursor: str | None
    examined: int


def main() -> None:
    """Measure on a broker of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pages", "searches"])
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with ExitStack() as stack:
        broker = stack.enter_context(running_broker(java_options=()))
        settings = stack.enter_context(create_installation(broker))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triggers-bench-")))
        if options.what == "pages":
            agent = _fill_with_events(stack, settings, folder, options.sessions)
            ports = {name: stack.enter_context(_server(name, settings, folder)) for name in _PROGRAMS}
            table = asyncio.run(_time_pages(ports, pages(options.sessions), options.rounds))
        else:
            agent = _fill_with_rows(stack, settings, folder, options.sessions)
            port = stack.enter_context(_server(API, settings, folder))
            now = time.time_ns() // 1_000_000
            table = asyncio.run(_time_searches(port, searches(options.sessions, now), options.rounds))
        resident = round(agent.process.memory_info().rss / 2**20)
        sys.stdout.write(f"\n{describe_moment()}; the agent takes {resident} MB\n\n{table}\n")


def _fill_with_events(stack: ExitStack, settings: Settings, folder: Path, sessions: int) -> Running:
    """Lets an agent apply the events of all orders, those of the first rules first."""
    agent = stack.enter_context(AGENT.start(settings, folder))
    for version, is_meant in ((1, has_first_rules), (2, lambda number: not has_first_rules(number))):
        rules = publication(version)
        configuration = msgspec.json.decode(rules.configuration)
        _repeat(lambda: publish_rules(NAME, configuration, match=rules.match, settings=settings))  # noqa: B023
        _await_processed(settings, agent)
        publish(settings, ((uid_of(n), value) for n in filter(is_meant, range(sessions)) for value in _events(n)))
        _await_processed(settings, agent)
        _say(f"the orders with version {version} of the rules are applied")
    publish(settings, ((uid_of(n), b'{"trigger": ') for n in range(_BAD_EVENTS)))
    _await_processed(settings, agent)
    return agent


def _events(number: int) -> tuple[bytes, ...]:
    return events_of(kind_of(number))


def _fill_with_rows(stack: ExitStack, settings: Settings, folder: Path, sessions: int) -> Running:
    """Writes the rows of all orders to the changelog, and lets an agent restore them."""
    producer = Producer(producer_options(settings.brokers) | {"enable.idempotence": True, "linger.ms": 20})
    topic = Topology(settings.namespace).changelog
    copies = [Copies() for _ in range(settings.partitions)]
    for partition in range(settings.partitions):
        produce_rows(producer, topic, partition, Copies.shared())
    for number in range(sessions):
        partition = partition_of(uid_of(number), settings.partitions)
        produce_rows(producer, topic, partition, copies[partition].rows_of(number))
    for partition, each in enumerate(copies):
        produce_rows(producer, topic, partition, each.index())
    if remaining := producer.flush(120):
        raise RuntimeError(f"{remaining} rows were not acknowledged")
    commit_nothing_read(settings)
    _say("the rows are written")
    agent = stack.enter_context(AGENT.start(settings, folder))
    search, expected = SessionSearch(settings), sessions
    _await(agent, lambda: sum(n.instances for n in search.count_statuses().counts if n.task == "t_charge") == expected)
    _say("the rows are restored")
    return agent


def _await_processed(settings: Settings, agent: Running) -> None:
    events = Topology(settings.namespace).events
    _await(agent, lambda: all(r.records == 0 for r in measure_lag(settings, _COUNTED) if r.topic == events))


def _await(agent: Running, is_done: Callable[[], bool]) -> None:
    """Waits until a condition holds. Raises RuntimeError if the agent ends or it takes too long."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        agent.check()
        try:
            if is_done():
                return
        except TryAgain:
            pass  # the agent is still starting
        time.sleep(_PAUSE_S)
    raise RuntimeError(f"{agent.name} has not done its work within {_PATIENCE_S:g} s")


def _repeat(call: Callable[[], object]) -> None:
    """Repeats a call until the broker's transaction coordinator is there."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            call()
        except TryAgain:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


@contextmanager
def _server(name: str, settings: Settings, folder: Path) -> Iterator[int]:
    """Runs the console or the API, and yields its port."""
    arguments = ["-m", "triggers.cli", *_PROGRAMS[name]]
    with run_python(name, arguments, folder, env=dict(environment(settings))) as program:
        deadline = time.monotonic() + _PATIENCE_S
        while (found := _URL.search(program.log.read_text())) is None:
            program.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} has not printed its address")
            time.sleep(_PAUSE_S)
        yield int(found[1])


async def _time_pages(ports: dict[str, int], targets: list[Target], rounds: int) -> str:
    """Requests every page once in each round, so that what passes with the hour meets all of them alike."""
    connections = {name: await connect(port) for name, port in ports.items()}
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    statuses: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for number in range(rounds + 1):
        for target in targets:
            started = time.perf_counter()
            answer = await connections[target.server].request(get(target.path_of(number)))
            if number:  # the first round connects clients and compiles templates
                times[target.server, target.name].append(time.perf_counter() - started)
                statuses[target.server, target.name][answer.status] += 1
    ranked = sorted(times, key=lambda key: -_share(times[key], 0.95))
    rows = [
        f"| {server} | {name} | {_ms(times[server, name], 0.5)} | {_ms(times[server, name], 0.95)}"
        f" | {_ms(times[server, name], 1.0)} | {_said(statuses[server, name])} |"
        for server, name in ranked
    ]
    return "\n".join(["| server | page | p50, ms | p95, ms | max, ms | status |", "|---|---|---|---|---|---|", *rows])


async def _time_searches(port: int, wanted: list[Searched], rounds: int) -> str:
    """Times the first page of each search, and later pages by their cursors."""
    connection, rows = await connect(port), []
    for search in wanted:
        first: list[float] = []
        for _ in range(rounds):
            started = time.perf_counter()
            page = _page(await connection.request(get(search.path())))
            first.append(time.perf_counter() - started)
        later: list[float] = []
        cursor = page.cursor
        while cursor is not None and len(later) < _LATER_PAGES:
            started = time.perf_counter()
            cursor = _page(await connection.request(get(search.path(cursor=cursor)))).cursor
            later.append(time.perf_counter() - started)
        after = f"{_ms(later, 0.5)} | {_ms(later, 0.95)}" if later else "- | -"
        found = f"{len(page.sessions)}{'+' if page.cursor else ''}"
        rows.append(f"| {search.name} | {found} | {page.examined} | {_ms(first, 0.5)} | {_ms(first, 0.95)} | {after} |")
        _say(rows[-1])
    heading = "| search | found | rows examined | first page: p50, ms | p95, ms | later pages: p50, ms | p95, ms |"
    return "\n".join([heading, "|---|---|---|---|---|---|---|", *rows])


def _page(answer: HttpAnswer) -> _Page:
    if answer.status != 200:
        raise RuntimeError(f"a search was answered with {answer.status}: {answer.body[:300]!r}")
    return msgspec.json.decode(answer.body, type=_Page)


def _share(times: Iterable[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[round((len(ordered) - 1) * share)]


def _ms(times: Iterable[float], share: float) -> str:
    return f"{1000 * _share(times, share):.0f}"


def _said(statuses: Counter[int]) -> str:
    return ", ".join(f"{number} of {status}" for status, number in sorted(statuses.items()))


def _say(text: str) -> None:
    sys.stderr.write(f"[load {os.getloadavg()[0]:.0f}] {text}\n")


if __name__ == "__main__":
    main()
