"""Every field of a query of sessions is a parameter of the API."""

from __future__ import annotations

from triggers.api.search import FILTERS
from triggers.queries import SessionQuery


def test_every_field_of_a_query_is_a_parameter_and_by_default_every_session_matches() -> None:
    assert [parameter.name for parameter in FILTERS] == list(SessionQuery.__struct_fields__)
    assert SessionQuery(**{parameter.name: parameter.default for parameter in FILTERS}).is_empty
