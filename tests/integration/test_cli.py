"""The output and the exit codes of the command line, against real workers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.program import run, run_json
from tests.support.topic_reader import read_topic, wait_until
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

RULES = {"t_import": {"after": ["page", "complete"], "run": "app.tasks.import"}}


@pytest.fixture
def installation(settings: Settings) -> Iterator[Settings]:
    """Topics and a worker."""
    assert run(settings, "topics", "create", "--partitions", "2").returncode == 0
    with WorkerProcess(settings, "cli") as worker:
        worker.wait_ready()
        yield settings


def _place(fired: dict[str, object]) -> str:
    return f"{fired['partition']}/{fired['offset']}"


def _report(settings: Settings, session: str, **event: object) -> None:
    """Reports a result as a Celery worker does."""
    producer = Producer({"bootstrap.servers": settings.brokers, "partitioner": "murmur2_random"})
    producer.produce(Topology(settings.namespace).events, json.dumps(event).encode(), session.encode())
    assert producer.flush(20) == 0


def _status(settings: Settings, session: str, instance: str) -> str:
    instances = run_json(settings, "show", session)["instances"]
    return str(next((one["status"] for one in instances if one["name"] == instance), "missing"))


def test_topics_are_made_once_and_checked(settings: Settings) -> None:
    made = run_json(settings, "topics", "create", "--partitions", "3")
    again = run_json(settings, "topics", "create", "--partitions", "5")
    checked = run(settings, "topics", "check", "--json")

    names = Topology(settings.namespace)
    assert sorted(made["created"]) == sorted(made["topics"]) == sorted(made["partitions"])
    assert (made["partitions"][names.events], made["partitions"][names.rules]) == (3, 1)
    assert again == {"created": [], "topics": made["topics"], "partitions": made["partitions"]}
    assert (checked.returncode, json.loads(checked.stdout)) == (0, [])


def test_missing_topics_fail_the_check_with_the_fix(settings: Settings) -> None:
    checked = run(settings, "topics", "check")

    assert checked.returncode == 1
    assert "triggers topics create" in checked.stdout


def test_a_failed_instance_is_replayed_and_then_skipped(installation: Settings) -> None:
    settings = installation
    run_json(settings, "configure", "s 1/ä", json.dumps(RULES))
    run_json(settings, "fire", "s 1/ä", "page", "--kwargs", '{"n": 1}')
    fired = run_json(settings, "fire", "s 1/ä", "complete")
    shown = run_json(settings, "show", "s 1/ä", "--after", _place(fired))
    assert [(one["name"], one["status"]) for one in shown["instances"]] == [("t_import#0", "scheduled")]
    assert shown["latest_kwargs"]["page"] == {"n": 1}

    _report(settings, "s 1/ä", type="failed", instance="t_import#0", attempt=1, exception_type="builtins.ValueError")
    wait_until(lambda: _status(settings, "s 1/ä", "t_import#0") == "failed", "it has failed")
    replayed = run_json(settings, "replay", "s 1/ä", "t_import#0", "--kwargs", '{"page": {"n": 2}}')
    assert replayed == {"instance": "t_import#0", "status": "replayed", "replays": ["t_import#1"]}

    _report(settings, "s 1/ä", type="failed", instance="t_import#1", attempt=1, exception_type="builtins.ValueError")
    wait_until(lambda: _status(settings, "s 1/ä", "t_import#1") == "failed", "it has failed again")
    skipped = run(settings, "skip", "s 1/ä", "t_import#1", "--cascade", "--result", '{"subjectId": 7}')
    assert (skipped.returncode, skipped.stdout) == (0, "t_import#1 is skipped.\n")

    shown = run_json(settings, "show", "s 1/ä")
    assert shown["latest_kwargs"]["t_import"] == {"subjectId": 7}, "skipping with --cascade has fired the task's name"
    assert shown["unresolved_instances"] == []
    listed = run_json(settings, "list", "--prefix", "s 1")["sessions"]
    assert [(one["uid"], one["instances"], one["unresolved"]) for one in listed] == [("s 1/ä", 2, 0)]
    text = run(settings, "show", "s 1/ä").stdout
    assert all(word in text for word in ("t_import#1", "skipped", "app.tasks.import", "builtins.ValueError"))


def test_a_graph_shows_what_caused_each_run(installation: Settings) -> None:
    settings = installation
    run_json(settings, "configure", "q-1", json.dumps(RULES | {"t_mail": {"after": ["t_import"], "run": "app.mail"}}))
    coordinates = [_place(run_json(settings, "fire", "q-1", trigger)) for trigger in ("page", "complete")]
    run_json(settings, "show", "q-1", "--after", coordinates[-1])
    _report(settings, "q-1", type="failed", instance="t_import#0", attempt=1, exception_type="builtins.ValueError")
    wait_until(lambda: _status(settings, "q-1", "t_import#0") == "failed", "it has failed")
    run_json(settings, "replay", "q-1", "t_import#0")
    _report(settings, "q-1", type="finished", instance="t_import#1", attempt=1)
    wait_until(lambda: _status(settings, "q-1", "t_mail#0") == "scheduled", "the result has cascaded")

    (_, replay, mail) = run_json(settings, "graph", "--session", "q-1", "--instance", "t_mail#0")["instances"]

    assert [(one["by"], one["instance"]) for one in mail["causes"]] == [("result", "t_import#1")]
    assert [(one["by"], one["instance"]) for one in replay["causes"]] == [("parent", "t_import#0"), ("operator", None)]
    *fires, replayed = [event["what"] for event in mail["roots"]]
    assert fires == ["page fired", "complete fired"]
    assert replayed.endswith(" replayed t_import#0"), "after the name of who ran the command"
    assert [str(event["offset"]) for event in mail["roots"]][:2] == [pair.split("/")[1] for pair in coordinates]
    assert run(settings, "graph", "--session", "q-1", "--format", "svg").stdout.count("<polygon") == 1


def test_an_error_is_one_line_and_an_exit_code(installation: Settings) -> None:
    settings = installation
    fired = run_json(settings, "fire", "s1", "page")
    run_json(settings, "show", "s1", "--after", _place(fired))

    for arguments, code, words in (
        (("show", "nobody"), 3, "no session 'nobody'"),
        (("replay", "s1", "t_import#0"), 3, "t_import#0"),
        (("configure", "s1", '{"t": {"after": ["a"], "runn": "x"}}'), 2, "run"),
        (("configure", "s1", "nothing.json"), 2, "nothing.json"),
        (("fire", "s1", "page", "--kwargs", "[1]"), 2, "object"),
        (("fire", "", "page"), 2, ""),
        (("fire", "s1"), 2, "--from"),
        (("dead-letters", "show", "seven"), 2, "'seven' must be <partition>/<offset>"),
        (("shwo", "s1"), 2, "show"),
        (("--brokers", "127.0.0.1:1", "show", "s1"), 4, "127.0.0.1:1"),
        (("--brokers", "127.0.0.1:1", "fire", "s1", "page"), 4, "127.0.0.1:1"),
    ):
        done = run(settings, *arguments, TRIGGERS_READ_TIMEOUT_S="2", TRIGGERS_PUBLISH_TIMEOUT_S="2")

        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert words in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_dead_letter_is_listed_shown_and_redriven_once_its_cause_is_gone(installation: Settings) -> None:
    settings = installation
    event = {"type": "replay", "instance": "t_import#0"}
    _report(settings, "s1", **event)
    wait_until(lambda: len(run_json(settings, "dead-letters", "list")) == 1, "it is a dead letter")
    (letter,) = run_json(settings, "dead-letters", "list")
    assert json.loads(letter["value"]) == event
    assert (letter["key"], letter["topic"]) == ("s1", Topology(settings.namespace).events)
    assert run_json(settings, "dead-letters", "show", letter["coordinates"]) == letter

    run_json(settings, "configure", "s1", json.dumps(RULES))
    run_json(settings, "fire", "s1", "page")
    run_json(settings, "fire", "s1", "complete")
    _report(settings, "s1", type="failed", instance="t_import#0", attempt=1, exception_type="E")
    wait_until(lambda: _status(settings, "s1", "t_import#0") == "failed", "it has failed")
    assert run_json(settings, "dead-letters", "redrive", letter["coordinates"]) == {"redriven": [letter["coordinates"]]}

    wait_until(lambda: _status(settings, "s1", "t_import#0") == "replayed", "the redriven record is applied")
    assert run_json(settings, "dead-letters", "list") == [], "the letter is redriven, and no other has come"


def test_a_file_is_fired_in_its_order_and_resumed_after_a_bad_line(installation: Settings, tmp_path: Path) -> None:
    settings = installation
    lines = [
        {"session": f"s{n % 3}", "trigger": "page", "kwargs": {"n": n}, "time": 1_700_000_000_000 + n} for n in range(9)
    ]
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(
        gzip.compress(
            "\n".join([*map(json.dumps, lines[:5]), '{"session": "s1"', *map(json.dumps, lines[5:])]).encode()
        )
    )

    refused = run(settings, "fire", "--from", str(path), "--rules", json.dumps(RULES))
    assert refused.returncode == 2
    assert "line 6" in refused.stderr
    assert "The 5 events before this line are published" in refused.stderr
    assert "--start-line 6" in refused.stderr

    rest = run_json(settings, "fire", "--from", str(path), "--start-line", "7")
    assert (rest["triggers"], rest["sessions"]) == (4, 3)
    events = [
        json.loads(m.value() or b"") if (m.value() or b"")[:1] == b"{" else None
        for m in read_topic(settings, Topology(settings.namespace).events)
    ]
    assert len(events) == 9 + 3, "each session was configured once"
    wait_until(lambda: sum(one["events"] for one in run_json(settings, "list")["sessions"]) == 12, "all are applied")
    assert run_json(settings, "show", "s2")["latest_kwargs"] == {"page": {"n": 8}}


def test_the_lag_goes_to_zero(installation: Settings) -> None:
    settings = installation
    for n in range(20):
        run_json(settings, "fire", f"s{n}", "page") if n < 2 else _report(settings, f"s{n}", trigger="page")

    wait_until(lambda: _lag(settings) == 0, "all is applied")
    rows = run_json(settings, "topics", "lag")
    assert sum(row["committed"] for row in rows if row["topic"].endswith(".events")) >= 20


def _lag(settings: Settings) -> int:
    rows = run_json(settings, "topics", "lag")
    return sum(row["records"] for row in rows if row["topic"] == Topology(settings.namespace).events)
