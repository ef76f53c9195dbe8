"""Stored headers: the bytes of this version, and the refusal of other versions."""

from __future__ import annotations

import pytest

from triggers.core.state.header import (
    Cohort,
    Header,
    HeldByInstance,
    Latest,
    TaskState,
    UnsharedRow,
    decode_header,
    encode_header,
)
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows, header_key
from triggers.core.state.session import Session

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

    assert encoded.hex() == f"dc001504c40080c281a161{stored}c20000000000009000c400000000c2c200"
    assert decode_header(encoded).latest == {"a": latest}


def test_a_cohort_is_stored_with_ranges_of_its_members() -> None:
    cohort = Cohort(["a"], [], {"a": 1, "b": b"{}"}, [0, 5, 7, 8])

    encoded = encode_header(Header(tasks={"t": TaskState(8, 6, [cohort])}))

    assert encoded.hex().startswith("dc001504c40081a174930806919491a1619082a16101a162c4027b7d9400050708")
    assert decode_header(encoded).tasks["t"].cohorts == [cohort]


def test_a_session_of_another_version_is_refused_by_name() -> None:
    rows = MemoryRows({header_key("s"): encode_header(Header(version=3))})

    with pytest.raises(RuntimeError, match="session 's' is stored in version 3; this release reads 4"):
        Session("s", rows, Plans())
