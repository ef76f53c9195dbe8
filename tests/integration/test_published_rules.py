"""Rules that are published to a real Kafka, while workers run, are killed and take partitions over."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from tests.support.fold_oracle import assert_equals_fold
from tests.support.program import run, run_json
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers import publish_rules
from triggers.analysis.driver import MemoryDriver
from triggers.client import SessionReader
from triggers.client.published_rules import StreamRules
from triggers.client.session_events import SessionEvents
from triggers.codec import EventDecoder, decode_command, decode_dead_letter
from triggers.core.events import Event, RulesPublished
from triggers.core.view import SessionView
from triggers.errors import InvalidConfiguration
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

PICK: dict[str, object] = {"after": [], "andEvery": "itemPicked", "run": "app.pick"}
SEND: dict[str, object] = {"after": ["orderPacked"], "run": "app.send"}


@pytest.fixture
def worker(settings: Settings) -> Iterator[WorkerProcess]:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        yield worker


def folded(uid: str, events: list[Event]) -> SessionView:
    driver = MemoryDriver()
    for event in events:
        driver.apply(uid, event)
    return driver.view(uid)


def runs(settings: Settings) -> dict[str, Counter[str]]:
    """Returns how often each session has issued a command of each task."""
    issued: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for message in read_topic(settings, Topology(settings.namespace).commands):
        command = decode_command(message.value())
        issued[command.session][command.run] += 1
    return dict(issued)


@pytest.mark.usefixtures("worker")
def test_a_session_whose_events_come_before_anything_else_runs_every_one_of_them(settings: Settings) -> None:
    publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
    application = Application(settings)
    for _ in range(3):
        application.fire("order-1", {"trigger": "itemPicked"})
        application.fire("other-1", {"trigger": "itemPicked"})
    application.fire("other-2", {"trigger": "itemPicked"}, headers=[("triggers-rules", b"order")])
    application.fire("other-3", {"trigger": "itemPicked", "rules": "nobody's"})
    application.flush()
    wait_until_processed(settings)

    assert runs(settings) == {"order-1": {"app.pick": 3}, "other-2": {"app.pick": 1}}
    letters = read_topic(settings, Topology(settings.namespace).dead_letters)
    assert [decode_dead_letter(letter.value()).reason for letter in letters] == ["unknown rules"]
    assert_equals_fold(settings)


@pytest.mark.usefixtures("worker")
def test_publishing_again_changes_nothing_and_all_partitions_have_one_copy_of_each_version(settings: Settings) -> None:
    first = publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
    again = publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
    second = publish_rules("order", {"t_pick": PICK, "t_send": SEND}, match=["order-*"], settings=settings)
    with pytest.raises(InvalidConfiguration, match="task 't': 'run' is missing"):
        publish_rules("order", {"t": {"after": []}}, settings=settings)

    assert first is not None
    assert second is not None
    assert (first.version, again, second.version) == (1, None, 2)
    decoder, copies = EventDecoder(900_000), defaultdict[int, list[int]](list)
    for message in read_topic(settings, Topology(settings.namespace).events):
        event = decoder.decode(message.value(), None, 0, 0)
        assert isinstance(event, RulesPublished)
        copies[message.partition() or 0].append(event.version)
    assert copies == {partition: [1, 2] for partition in range(settings.partitions)}


def test_publishers_at_the_same_moment_make_one_order_of_versions(settings: Settings) -> None:
    create_topics(settings)
    outcomes: list[object] = []

    def publish(number: int) -> None:
        try:
            outcomes.append(publish_rules("order", {f"t_{number}": PICK}, settings=settings))
        except Exception as error:  # noqa: BLE001  # compared below
            outcomes.append(error)

    publishers = [threading.Thread(target=publish, args=(number,)) for number in range(3)]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()

    versions = [event.version for event in StreamRules(settings).publications()]
    assert versions == list(range(1, len(versions) + 1))
    assert len(versions) == sum(isinstance(outcome, RulesPublished) for outcome in outcomes) >= 1


@pytest.mark.usefixtures("worker")
def test_every_reader_folds_a_session_with_the_rules_it_had_at_each_moment(settings: Settings) -> None:
    application, uids = Application(settings), [f"order-{n}" for n in range(8)]
    publish_rules("unrelated", {"t_other": SEND}, match=["x*"], settings=settings)
    publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
    for uid in uids:
        application.fire(uid, {"trigger": "itemPicked"})
    application.flush()
    publish_rules("order", {"t_send": SEND}, match=["order-*"], existing="adopt", settings=settings)
    for uid in uids[:4]:
        application.fire(uid, {"trigger": "orderPacked"})
    application.flush()
    wait_until_processed(settings)
    reader, source = SessionReader(settings), SessionEvents(settings)

    by_index = {uid: source.read_session(uid) for uid in uids}
    everything: dict[str, list[Event]] = {}
    for uid, event in source.read_all():
        everything.setdefault(uid, []).append(event)

    views = {uid: reader.read(uid) for uid in uids}
    assert [view.rules and view.rules.version for view in views.values()] == [2] * 4 + [1] * 4
    assert {uid: folded(uid, events) for uid, events in by_index.items()} == views
    assert {uid: folded(uid, events) for uid, events in everything.items()} == views
    assert {uid: folded(uid, events) for uid, events in source.scan_partitions(uids).items()} == views
    assert [type(event).__name__ for event in by_index["order-0"]] == ["RulesPublished", "TriggerFired"] * 2
    counts = {(each.name, each.version): each.sessions for each in reader.rules_counts()}
    assert counts == {("order", 1): 4, ("order", 2): 4}


@pytest.mark.usefixtures("worker")
def test_the_program_publishes_and_shows_rules(settings: Settings) -> None:
    rules, more = json.dumps({"t_pick": PICK}), json.dumps({"t_pick": PICK, "t_send": SEND})
    wrong = run(settings, "rules", "publish", "order", '{"t": {"after": ["t"], "run": "app.t"}}')
    published = run_json(settings, "rules", "publish", "order", rules, "--match", "order-*")
    run_json(settings, "fire", "order-1", "itemPicked")
    wait_until_processed(settings)

    plan = run_json(
        settings, "rules", "publish", "order", more, "--match", "order-*", "--existing", "adopt", "--dry-run"
    )
    backtest = run(settings, "rules", "publish", "order", more, "--match", "order-*", "--backtest", "7d")
    run_json(settings, "rules", "publish", "order", more, "--match", "order-*", "--existing", "adopt")
    retired = run_json(settings, "rules", "retire", "order")

    assert wrong.returncode == 1
    assert "fix:" in wrong.stderr
    assert published == {"name": "order", "version": 1, "changed": True}
    assert plan == {"name": "order", "version": 2, "changed": True, "adopting": 1}
    assert "1 sessions folded" in backtest.stdout
    assert retired == {"name": "order", "version": 3, "changed": True}
    assert [each["version"] for each in run_json(settings, "rules", "history", "order")] == [1, 2, 3]
    assert [(each["name"], each["match"]) for each in run_json(settings, "rules", "list")] == [("order", [])]
    assert json.loads(run(settings, "rules", "show", "order", "--version", "1").stdout) == {"t_pick": PICK}
    assert "+ t_send" in run(settings, "rules", "diff", "order", "1", "2").stdout
    assert run_json(settings, "show", "order-1")["rules"] == {"name": "order", "version": 1, "pending": ""}
    assert "the session takes published rules (version 1 of 'order')" in run(settings, "explain", "order-1").stdout
    assert run(settings, "rules", "show", "orders").returncode == 3


def test_rules_are_published_while_a_worker_is_killed_and_partitions_move(settings: Settings) -> None:
    create_topics(settings)
    uids, application = [f"order-{n}" for n in range(40)], Application(settings)

    def fire_all(trigger: str) -> None:
        for uid in uids:
            application.fire(uid, {"trigger": trigger})
        application.flush()

    with WorkerProcess(settings, "w0") as survivor, WorkerProcess(settings, "w1") as victim:
        wait_until(lambda: bool(survivor.partitions() and victim.partitions()), "both workers own partitions")
        publish_rules("order", {"t_pick": PICK}, match=["order-*"], settings=settings)
        fire_all("itemPicked")
        victim.kill()
        publish_rules("order", {"t_pick": PICK, "t_send": SEND}, match=["order-*"], existing="adopt", settings=settings)
        fire_all("itemPicked")
        wait_until(lambda: len(survivor.partitions()) == settings.partitions, "the survivor owns everything")
        victim.start()
        fire_all("orderPacked")
        publish_rules("order", {"t_pick": PICK}, match=["order-*"], existing="adopt", settings=settings)
        fire_all("itemPicked")
        wait_until_processed(settings)

    assert runs(settings) == {uid: {"app.pick": 3, "app.send": 1} for uid in uids}
    assert_equals_fold(settings)
