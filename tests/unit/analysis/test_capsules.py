"""Capsules are deterministic and replayable, and do not contain masked values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.property.test_replayed_logs import random_log
from tests.support.console_log import HOSTILE, log_events, log_lines
from tests.support.memory_session import MemorySession

from triggers.analysis.driver import MemoryDriver
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.capsules import BadCapsule, capture, file_name, is_capsule, load_capsule, replay_capsule
from triggers.analysis.verify.masking import mask_event
from triggers.cli import main
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    ReplayRequested,
    SessionImported,
    TaskFailed,
    TaskFinished,
    TriggerFired,
)
from triggers.errors import CallError

RULES = {
    "t_mail": {"after": ["address"], "run": "app.mail", "withParams": {"address": {"sender": "me"}}, "owner": "Ann"}
}


def log_of(*events: Event) -> list[Event]:
    session = MemorySession(RULES)
    for event in events:
        session.apply(event)
    return session.log


def captured(tmp_path: Path, events: list[Event], *masked: str) -> Path:
    path = tmp_path / "s.capsule.json"
    path.write_bytes(capture("q-1", events, masked))
    return path


def changed(path: Path, change: str, value: object) -> Path:
    """Writes the value into the capsule at a path such as `a.0.b`, and returns the file."""
    capsule: Any = json.loads(path.read_bytes())
    *path_to_it, last = [int(step) if step.isdecimal() else step for step in change.split(".")]
    parent = capsule
    for step in path_to_it:
        parent = parent[step]
    parent[last] = value
    path.write_text(json.dumps(capsule))
    return path


@pytest.mark.parametrize("seed", range(8))
def test_a_capsule_replays_to_the_same_session(tmp_path: Path, seed: int) -> None:
    log, driver = random_log(seed), MemoryDriver()
    for event in log:
        driver.apply("q-1", event)
    path = captured(tmp_path, log)

    replayed = replay_capsule(load_capsule(InputFile(path)))

    assert replayed.differences == []
    assert msgspec.json.encode(replayed.view) == msgspec.json.encode(driver.view("q-1"))
    assert path.read_bytes() == capture("q-1", log)


def test_several_sessions_are_captured_each_into_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("\n".join(log_lines()))
    wanted, into = [HOSTILE, "s-done"], tmp_path / "out"
    command = ["capture", *wanted, "--from", str(tmp_path / "log.jsonl"), "--into", str(into)]

    done = CliRunner().invoke(main, command)

    assert done.exit_code == 0, done.output
    written = {path.name: path.read_bytes() for path in into.iterdir()}
    assert written == {file_name(uid): capture(uid, (e for s, e in log_events() if s == uid)) for uid in wanted}


def test_if_one_of_several_sessions_does_not_exist_none_is_captured(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("\n".join(log_lines()))
    command = ["capture", "s-done", "s-dne", "--from", str(tmp_path / "log.jsonl"), "--into", str(tmp_path / "out")]

    done = CliRunner().invoke(main, command)

    assert (done.exit_code, "'s-dne'" in done.output) == (3, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ("steps.1.decision.outcome", "unused", 'step 2 (offset 2): outcome: expected "unused", got "applied"'),
        ("steps.1.decision.changed", [], 'step 2 (offset 2): changed: expected [], got [["t_mail#0","unstarted"],'),
        ("steps.1.decision.commands", [], "step 2 (offset 2): commands: expected [], got [{"),
        ("view.events", 7, "view: events: expected 7, got 3"),
        ("view.instances.0.status", "failed", 'view: instances t_mail#0 status: expected "failed", got "finished"'),
        ("view.instances", [], "view: instances t_mail#0: expected null, got {"),
        ("view.instances.0.name", [], "view: instances: expected [{"),
    ],
)
def test_each_difference_from_the_capsule_is_reported(tmp_path: Path, place: str, value: object, line: str) -> None:
    path = captured(tmp_path, log_of(TriggerFired(trigger="address"), TaskFinished(instance="t_mail#0")))

    (difference,) = replay_capsule(load_capsule(InputFile(changed(path, place, value)))).differences

    assert difference.startswith(line)


def test_other_rules_replace_the_captured_ones(tmp_path: Path) -> None:
    path = captured(tmp_path, log_of(TriggerFired(trigger="address")))

    replayed = replay_capsule(load_capsule(InputFile(path)), b'{"t_card": {"after": ["address"], "run": "app.card"}}')

    assert [instance.name for instance in replayed.view.instances] == ["t_card#0"]
    assert replayed.differences


def test_a_refused_event_is_captured_as_refused(tmp_path: Path) -> None:
    log = [*log_of(), ReplayRequested(instance="t_mail#0", position=9)]

    replayed = replay_capsule(load_capsule(InputFile(captured(tmp_path, log))))

    assert replayed.differences == []
    assert "InstanceNotFound" in str(replayed.decisions[-1]["refused"])


def test_masked_values_are_not_in_the_capsule_and_decisions_stay_the_same(tmp_path: Path) -> None:
    kwargs = b'{"email": {"of": "SECRET"}, "list": [{"email": "SECRET"}, 1], "name": "kept", "n": 1.50}'
    failed = TaskFailed(instance="t_mail#0", exception_type="app.E", exception_info="SECRET")
    log = log_of(TriggerFired(trigger="address", kwargs=kwargs), failed)

    path = captured(tmp_path, log, "email", "sender", "owner", "exception_info", "run")

    text = path.read_text()
    assert "SECRET" not in text
    assert '"me"' not in text
    assert '"Ann"' not in text
    assert '{"email":"***","list":[{"email":"***"},1],"name":"kept","n":1.50}' in text
    replayed = replay_capsule(load_capsule(InputFile(path)))
    assert replayed.differences == []
    assert [(i.name, i.status) for i in replayed.view.instances] == [("t_mail#0", "failed")]


def test_without_names_nothing_is_touched() -> None:
    event = ConfigurationUpdated(configuration=b'{ "t_a": {"after": ["a"], "run": "x"} }')

    assert mask_event(event, []) is event


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not a capsule"),
        (b'{"capsule": 2, "session": "s", "masked": [], "steps": [], "view": {}}', "format 2"),
        (b'{"capsule": 1, "session": "s", "masked": [], "steps": []}', "view"),
        (b'{"capsule": 1, "session": "s", "masked": [], "steps": [], "view": {}}', "has no steps"),
        (b'{"capsule": 1, "session": "s", "masked": [], "steps": [], "view": []}', "view"),
    ],
)
def test_a_file_that_is_not_a_capsule_is_refused_with_the_reason(tmp_path: Path, text: bytes, why: str) -> None:
    path = tmp_path / "s.capsule.json"
    path.write_bytes(text)

    with pytest.raises(BadCapsule, match=why):
        load_capsule(InputFile(path))


def test_a_step_whose_event_cannot_be_decoded_is_reported(tmp_path: Path) -> None:
    path = changed(captured(tmp_path, log_of()), "steps.0.event", {"triger": "x"})

    with pytest.raises(BadCapsule, match=r"'q-1', step 1: .*did you mean 'trigger'"):
        replay_capsule(load_capsule(InputFile(path)))


def test_a_capsule_is_recognized_by_its_name_or_its_first_bytes(tmp_path: Path) -> None:
    named, started, other = tmp_path / "a.capsule.json", tmp_path / "b.json", tmp_path / "c.jsonl"
    named.write_bytes(b"")
    started.write_bytes(b'{\n  "capsule": 1}')
    other.write_bytes(b'{"id": "one"}')

    files = [InputFile(path) for path in (named, started, other)]
    assert [is_capsule(file) for file in files] == [True, True, False]
    for file in files:
        file.close()


def test_a_later_version_may_add_members_to_the_view(tmp_path: Path) -> None:
    path = captured(tmp_path, log_of())
    capsule = load_capsule(InputFile(path))
    view = {name: value for name, value in capsule.view.items() if name != "latest_kwargs"}

    assert replay_capsule(msgspec.structs.replace(capsule, view=view)).differences == []


def test_an_imported_state_keeps_its_names_when_its_values_are_masked() -> None:
    state = {
        "configuration": RULES,
        "instances": [{"name": "t_mail#0", "status": "unstarted", "kwargs": {"address": {"name": "SECRET"}}}],
        "latest_kwargs": {"address": {"name": "SECRET"}},
    }

    masked = mask_event(SessionImported(state=json.dumps(state).encode()), ["name", "status"])

    assert isinstance(masked, SessionImported)
    assert b"SECRET" not in masked.state
    assert json.loads(masked.state)["instances"][0]["name"] == "t_mail#0"


EDITION_2: dict[str, object] = {
    "$edition": 2,
    "t_mail": {
        "after": [{"trigger": "address", "when": "has(kwargs.email)"}],
        "run": "app.mail",
        "with": {"email": "on.address.email"},
        "cancelOn": ["stop"],
        "meta": {"email": "owner@example.org"},
    },
    "t_big": {"after": [{"trigger": "paid", "when": "kwargs.amount > 100"}], "run": "app.big"},
}


def edition_2_log() -> list[Event]:
    session = MemorySession(EDITION_2)
    session.fire("address", email="x@example.org")
    session.fire("paid", amount=120)
    session.fire("stop")
    return session.log


def test_a_capsule_of_edition_2_has_what_was_cancelled_and_masks_only_data(tmp_path: Path) -> None:
    path = captured(tmp_path, edition_2_log(), "email")

    capsule = load_capsule(InputFile(path))
    assert replay_capsule(capsule).differences == []
    assert b"example.org" not in path.read_bytes()
    (cancel,) = json.loads(bytes(capsule.steps[3].decision))["cancels"]
    assert (cancel["instance"], cancel["attempt"]) == ("t_mail#0", 1)
    changed(path, "steps.3.decision.cancels", [])
    assert any("cancels" in line for line in replay_capsule(load_capsule(InputFile(path))).differences)


def test_what_an_expression_reads_cannot_be_masked(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"offset 3: an expression reads a masked value.*than amount"):
        captured(tmp_path, edition_2_log(), "amount")
