"""Stored headers: the bytes of this version, reading versions 3 and 4, and the refusal of all others."""

from __future__ import annotations

import msgspec
import pytest

from triggers.core.contribution import Contribution
from triggers.core.engine import apply
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.core.state.header import Header
from triggers.core.state.header_codec import decode_header, decode_latest, encode_header, read_header
from triggers.core.state.header_parts import Cohort, Edition2Part, RuleBinding, TaskState
from triggers.core.state.latest import (
    UNKNOWN_FIRE,
    Stamp,
    contribution_of,
    record_of_instance,
    record_of_kwargs,
    record_of_row,
)
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key, numbered, session_prefix
from triggers.core.state.session import Session
from triggers.core.view import view_session

STAMP: Stamp = (5, 2, 4)
KINDS: dict[str, tuple[bytes, str]] = {
    "a row that instances refer to": (record_of_row(STAMP, 7, shared=True), "c40793010793050204"),
    "small kwargs": (record_of_kwargs(STAMP, b"{}"), "c40a9300c4027b7d93050204"),
    "a row that no instance refers to": (record_of_row(STAMP, 7, shared=False), "c40793020793050204"),
    "kwargs in the row of an instance": (record_of_instance(STAMP, "t", 3), "c4099403a1740393050204"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_latest_kwargs_are_stored_by_their_kind_with_the_stamp_of_their_fire(kind: str) -> None:
    latest, stored = KINDS[kind]

    encoded = encode_header(Header(latest={"a": latest}))

    assert encoded.hex() == f"dc001805c40080c281a161{stored}c20000000000009000c400000000c2c20000c0c0"
    assert decode_header(encoded).latest == {"a": latest}


def test_the_id_and_the_source_of_an_event_are_stored_in_the_stamp() -> None:
    encoded = record_of_kwargs((5, 2, 4, "e-1", "shop"), b"{}")

    assert encoded.hex() == "9300c4027b7d95050204a3652d31a473686f70"
    assert contribution_of(encoded, b"{}") == Contribution(b"{}", 5, 2, b"", 4, "e-1", "shop")


def test_a_cohort_is_stored_with_ranges_of_its_members() -> None:
    cohort = Cohort(["a"], [], {"a": 1, "b": b"{}"}, [0, 5, 7, 8], {"+b": [5, 2], "-c": [7, 4]})

    encoded = encode_header(Header(tasks={"t": TaskState(8, 6, [cohort])}))

    assert encoded.hex().startswith(
        "dc001805c40081a174930806919591a1619082a16101a162c4027b7d940005070882a22b62920502a22d63920704"
    )
    assert decode_header(encoded).tasks["t"].cohorts == [cohort]


def test_what_edition_2_adds_is_stored_at_the_end() -> None:
    header = Header(clock=9, edition_2=Edition2Part(3, finalized=True))

    encoded = encode_header(header)

    assert encoded.hex().endswith("c2c20009940380c2c3c0")
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
"""A header of version 3."""
VERSION_4 = (
    "dc001804c40081a174930806919491a1619081a16101920005c284a16107a162c4027b7da163920007a1649301a17403"
    "c20000000000059000c400000000c2c20209940282a16195050104a3652d31a473686f70a16295090200c0c0c2c2c0"
)
"""A header of version 4, which has the last fires of two triggers beside the latest kwargs."""
EARLIER_LATEST: dict[str, tuple[str, bytes]] = {
    "3: a row that instances refer to": ("07", record_of_row(UNKNOWN_FIRE, 7, shared=True)),
    "3: small kwargs": ("c4027b7d", record_of_kwargs(UNKNOWN_FIRE, b"{}")),
    "3: a row that no instance refers to": ("f9", record_of_row(UNKNOWN_FIRE, 7, shared=False)),
    "3: kwargs in the row of an instance": ("92a17403", record_of_instance(UNKNOWN_FIRE, "t", 3)),
    "4: a row that no instance refers to": ("920007", record_of_row(UNKNOWN_FIRE, 7, shared=False)),
    "4: kwargs in the row of an instance": ("9301a17403", record_of_instance(UNKNOWN_FIRE, "t", 3)),
}


@pytest.mark.parametrize(("row", "clock"), [(VERSION_3, 0), (VERSION_4, 9)])
def test_a_header_of_an_earlier_version_is_read_and_written_in_this_version(row: str, clock: int) -> None:
    header = read_header("s", bytes.fromhex(row))

    assert header.tasks == {"t": TaskState(8, 6, [Cohort(["a"], [], {"a": 1}, [0, 5])])}
    assert header.latest == {
        "a": record_of_row((clock, 1, 0), 7, shared=True),
        "b": record_of_kwargs((clock, 2, 0), b"{}"),
        "c": record_of_row((clock, 3, 0), 7, shared=False),
        "d": record_of_instance((clock, 4, 0), "t", 3),
    }
    assert (header.events, header.past_attempts, header.clock) == (5, 2, clock)
    assert encode_header(header)[3] == 5
    assert decode_header(encode_header(header)) == header


@pytest.mark.parametrize("kind", EARLIER_LATEST)
def test_a_row_of_latest_kwargs_is_read_in_the_form_of_any_version(kind: str) -> None:
    stored, latest = EARLIER_LATEST[kind]

    assert decode_latest(bytes.fromhex(stored)) == latest


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_latest_kwargs_is_read_in_the_form_of_this_version(kind: str) -> None:
    latest, stored = KINDS[kind]

    assert decode_latest(bytes.fromhex(stored)) == latest


def test_a_spilled_row_of_version_3_becomes_the_latest_kwargs_of_a_session() -> None:
    row = session_prefix("s") + b"lq"
    header = bytes.fromhex(VERSION_3.replace("c200000000000590", "c300000000000590"))
    rows = MemoryRows({header_key("s"): header, row: b"\xf9", session_prefix("s") + numbered(b"p", 7): b'{"x": 1}'})

    session = Session("s", rows, Plans())

    assert session.payloads.read_latest("q") == b'{"x": 1}'


def test_the_last_fires_of_version_4_join_the_latest_kwargs() -> None:
    spilled = VERSION_4.replace("c20000000000059000c4", "c30000000000059000c4").replace("c0c0c2c2c0", "c0c0c3c2c0")
    prefix = session_prefix("s")
    fire = bytes.fromhex("95070306a3652d32c0")  # LastFire(7, 3, 6, "e-2", None)
    rows = MemoryRows({header_key("s"): bytes.fromhex(spilled), prefix + b"lq": b"\xc4\x02{}", prefix + b"fq": fire})

    session = Session("s", rows, Plans())
    session.mark_header_changed()
    rows.write(session.changes())

    stored = Session("s", rows, Plans())
    assert contribution_of(stored.latest.hot["a"], b"{}") == Contribution(b"{}", 5, 1, b"", 4, "e-1", "shop")
    assert contribution_of(stored.latest.hot["b"], b"{}") == Contribution(b"{}", 9, 2)
    assert contribution_of(stored.latest.hot["q"], b"{}") == Contribution(b"{}", 7, 3, b"", 6, "e-2")
    assert stored.header.edition_2 == Edition2Part(2)
    assert list(stored.rows.scan(b"f")) == []


@pytest.mark.parametrize("version", [2, 6])
def test_a_session_of_another_version_is_refused_by_name(version: int) -> None:
    rows = MemoryRows({header_key("s"): msgspec.msgpack.encode([version, *range(20)])})

    with pytest.raises(RuntimeError, match=f"session 's' is stored in version {version}; this release reads 3 to 5"):
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
