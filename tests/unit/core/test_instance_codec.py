"""The rows of instances: their bytes are those that msgspec writes for the stored form."""

from dataclasses import fields
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.core.contribution import Contribution
from triggers.core.state.instance import Instance, Payload
from triggers.core.state.instance_codec import decode_instance, encode_instance
from triggers.core.state.stored_instance import StoredInstance
from triggers.core.statuses import Status

NAMES = [each.name for each in fields(Instance)]

TIMES = st.integers(0, 2**53)
NUMBERS = st.one_of(st.integers(0, 2**32), st.sampled_from([0, 127, 128, 1023, 1024, 65_535, 65_536]))
STATUSES = st.sampled_from([*map(str, Status), "expired", "halfway"])
BYTES = st.binary(max_size=80) | st.sampled_from([255, 256, 65_535, 65_536]).map(bytes)
PAYLOADS = NUMBERS | BYTES
TEXTS = st.text(max_size=40)
CONTRIBUTIONS = st.builds(Contribution, kwargs=BYTES, clock=TIMES, order=NUMBERS)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "sequence": NUMBERS,
    "created": TIMES,
    "status": STATUSES,
    "kwargs": st.dictionaries(TEXTS, PAYLOADS, max_size=20),
    "unless_seen": st.lists(TEXTS, max_size=20),
    "attempt": NUMBERS,
    "attempt_closed": st.booleans(),
    "configuration": BYTES,
    "modified": TIMES,
    "stamps": st.dictionaries(STATUSES, TIMES),
    "metadata": st.dictionaries(TEXTS, BYTES, max_size=20),
    "result": st.none() | PAYLOADS,
    "depth": NUMBERS,
    "parent": st.integers(-1, 2**20),
    "due": TIMES,
    "cascade_depth": NUMBERS,
    "deadline": TIMES,
    "held": st.none() | st.dictionaries(TEXTS, st.lists(CONTRIBUTIONS, max_size=3), max_size=3),
    "timers": st.none() | st.dictionaries(TEXTS, TIMES, max_size=3),
    "delayed_at": TIMES,
    "queue": st.none() | TEXTS,
    "spans": BYTES,
    "fired": st.none() | st.lists(TIMES, max_size=6),
}
"""Values of each field. Lengths and numbers include those at which MessagePack changes its form."""
OPTIONAL = {name: values for name, values in FIELDS.items() if name not in {"sequence", "created"}}
REQUIRED: dict[str, st.SearchStrategy[Any]] = {"sequence": NUMBERS, "created": TIMES}
INSTANCES = st.fixed_dictionaries(REQUIRED, optional=OPTIONAL).map(lambda values: Instance(**values))


def test_the_stored_form_has_the_fields_and_defaults_of_the_class() -> None:
    instance, stored = Instance(sequence=1, created=2), StoredInstance(sequence=1, created=2)

    assert list(StoredInstance.__struct_fields__) == NAMES == list(FIELDS)
    assert [getattr(instance, name) for name in NAMES] == [getattr(stored, name) for name in NAMES]


@given(INSTANCES)
def test_a_row_has_the_bytes_that_msgspec_writes(instance: Instance) -> None:
    stored = StoredInstance(**{name: getattr(instance, name) for name in NAMES})

    assert encode_instance(instance) == msgspec.msgpack.encode(stored)


@pytest.mark.parametrize("triggers", [15, 16, 65_535, 65_536])
def test_a_row_of_many_kwargs_has_the_bytes_that_msgspec_writes(triggers: int) -> None:
    kwargs: dict[str, Payload] = {f"trigger{number}": number for number in range(triggers)}
    stored = StoredInstance(sequence=0, created=0, kwargs=kwargs)

    assert encode_instance(Instance(sequence=0, created=0, kwargs=kwargs)) == msgspec.msgpack.encode(stored)


@given(INSTANCES)
def test_an_instance_survives_encoding_and_decoding(instance: Instance) -> None:
    assert decode_instance(encode_instance(instance)) == instance


def test_the_member_of_an_enumeration_is_written_as_its_value() -> None:
    instance = Instance(sequence=0, created=0, status=Status.ABANDONED, stamps={Status.ABANDONED: 5})

    assert decode_instance(encode_instance(instance)) == Instance(
        sequence=0, created=0, status="abandoned", stamps={"abandoned": 5}
    )
