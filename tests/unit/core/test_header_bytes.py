"""Stored headers: the bytes of this version, reading version 3, and the refusal of all others."""

from __future__ import annotations

import pytest

from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.core.state.header import (
    Cohort,
    Edition2Header,
    Header,
    HeldByInstance,
    LastFire,
    Latest,
    RuleBinding,
    TaskState,
    UnsharedRow,
)
from triggers.core.state.header_codec import decode_header, decode_latest, encode_header, read_header
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key, numbered, session_prefix
from triggers.core.state.session import Session
from triggers.core.view import view_session

KINDS: dict[str, tuple[Latest, str]] = {
    "a row that instances refer to": (7, "07"),
    "small kwargs": (b"{}", "c4027b7d"),
    "a row that no instance refers to": (UnsharedRow(7), "920007"),
    "kwargs in the row of an instance": (HeldByInstance("t", 3), "9301a17403"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_latest_kwargs_are_stored_by_their_kind(kind: str) -> None:
    latest, stored = KINDS[kind]

    encoded = encode_header(Header(latest={"a": latest}))

    assert encoded.hex() == f"dc001804c40080c281a161{stored}c20000000000009000c400000000c2c20000c0c0"
    assert decode_header(encoded).latest == {"a": latest}


def test_a_cohort_is_stored_with_ranges_of_its_members() -> None:
    cohort = Cohort(["a"], [], {"a": 1, "b": b"{}"}, [0, 5, 7, 8])

    encoded = encode_header(Header(tasks={"t": TaskState(8, 6, [cohort])}))

    assert encoded.hex().startswith("dc001804c40081a174930806919491a1619082a16101a162c4027b7d9400050708")
    assert decode_header(encoded).tasks["t"].cohorts == [cohort]


def test_what_edition_2_adds_is_stored_at_the_end() -> None:
    fires = {"a": LastFire(5, 2, 4, "e-1", "shop"), "b": LastFire(9, 3)}

    header = Header(clock=9, edition_2=Edition2Header(3, fires, last_fires_spilled=True, finalized=True))

    encoded = encode_header(header)

    assert encoded.hex().endswith("c2c20009940382a16195050204a3652d31a473686f70a16295090300c0c0c3c3c0")
    assert decode_header(encoded) == header


def test_published_rules_are_stored_at_the_end() -> None:
    header = Header(published=RuleBinding("order", 3, ["t_a"]))

    encoded = encode_header(header)

    assert encoded.hex().endswith("c2c20000c093a56f726465720391a3745f61")
    assert decode_header(encoded) == header


VERSION_3 = (
    "dc001503c40081a174930806919491a1619081a16101920005c284a16107a162c4027b7da163f9a16492a17403"
    "c20000000000059000c400000000c2c202"
)
"""A header that the release before wrote."""
LATEST_OF_VERSION_3: dict[str, tuple[str, Latest]] = {
    "a row that instances refer to": ("07", 7),
    "small kwargs": ("c4027b7d", b"{}"),
    "a row that no instance refers to": ("f9", UnsharedRow(7)),
    "kwargs in the row of an instance": ("92a17403", HeldByInstance("t", 3)),
}


def test_a_header_of_version_3_is_read_and_written_in_this_version() -> None:
    header = read_header("s", bytes.fromhex(VERSION_3))

    assert header == Header(
        tasks={"t": TaskState(8, 6, [Cohort(["a"], [], {"a": 1}, [0, 5])])},
        latest={"a": 7, "b": b"{}", "c": UnsharedRow(7), "d": HeldByInstance("t", 3)},
        events=5,
        past_attempts=2,
    )
    assert decode_header(encode_header(header)) == header


@pytest.mark.parametrize("kind", LATEST_OF_VERSION_3)
def test_a_row_of_latest_kwargs_is_read_in_the_form_of_either_version(kind: str) -> None:
    stored, latest = LATEST_OF_VERSION_3[kind]

    assert decode_latest(bytes.fromhex(stored)) == latest
    assert decode_latest(bytes.fromhex(KINDS[kind][1])) == latest


def test_a_spilled_row_of_version_3_becomes_the_latest_kwargs_of_a_session() -> None:
    row = session_prefix("s") + b"lq"
    header = bytes.fromhex(VERSION_3.replace("c200000000000590", "c300000000000590"))
    rows = MemoryRows({header_key("s"): header, row: b"\xf9", session_prefix("s") + numbered(b"p", 7): b'{"x": 1}'})

    session = Session("s", rows, Plans())

    assert session.latest.get("q") == UnsharedRow(7)
    assert session.payloads.read(7) == b'{"x": 1}'


@pytest.mark.parametrize("version", [2, 5])
def test_a_session_of_another_version_is_refused_by_name(version: int) -> None:
    rows = MemoryRows({header_key("s"): encode_header(Header(version=version))})

    with pytest.raises(RuntimeError, match=f"session 's' is stored in version {version}; this release reads 3 and 4"):
        Session("s", rows, Plans())


def test_a_session_of_edition_1_stores_nothing_of_edition_2_even_after_it_was_viewed() -> None:
    rows = MemoryRows()
    session = Session("s", rows, Plans())
    rules = b'{"t_a": {"after": ["a", "b"], "run": "app.a"}}'
    for event in (ConfigurationUpdated(configuration=rules), TriggerFired(position=1, trigger="a")):
        apply(session, event)
        view_session(session)
        rows.write(session.changes())

    assert read_header("s", rows[header_key("s")]).edition_2 is None
